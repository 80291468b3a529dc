s/return iommu::driver::start(platform)/return (void)platform, STATUS_UNSUCCESSFUL/
