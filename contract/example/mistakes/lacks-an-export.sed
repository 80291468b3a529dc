s/IoGetIommuInterfaceEx(ULONG/OtherName(ULONG/
