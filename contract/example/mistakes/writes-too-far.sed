# SPDX-License-Identifier: GPL-2.0-or-later
# Clears the whole structure, of which a caller of V1 or V2 owns only the first bytes.
/return wdm_get_interface_ex/i\
    if (Out != nullptr \&\& Version < 3) {\
        Out->V3.QueryDeviceInfo = nullptr;\
    }
