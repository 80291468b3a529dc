// SPDX-License-Identifier: GPL-2.0-or-later
// How C asks a device about itself.
#include <cstdlib>
#include <cstring>
#include <string>

#include "hw/iommu/capi.hpp"

extern "C" {

char* wi_iommu_ask(WiIommu* iommu, const char* topic, const char* arguments, bool* good)
{
    std::string answer;
    *good = iommu->device->ask(topic, arguments ? arguments : "", answer);
    auto* copy = static_cast<char*>(std::malloc(answer.size() + 1));
    if (copy) {
        std::memcpy(copy, answer.c_str(), answer.size() + 1);
    }
    return copy;
}

}  // extern "C"
