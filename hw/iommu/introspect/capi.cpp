// SPDX-License-Identifier: GPL-2.0-or-later
// How C asks a device about itself.
#include <cstdlib>
#include <cstring>
#include <string>

#include "hw/iommu/capi.hpp"

namespace {

char* copy_of(const std::string& text)
{
    auto* copy = static_cast<char*>(std::malloc(text.size() + 1));
    if (copy) {
        std::memcpy(copy, text.c_str(), text.size() + 1);
    }
    return copy;
}

}  // namespace

extern "C" {

char* wi_iommu_ask(WiIommu* iommu, const char* topic, const char* arguments, bool* good)
{
    std::string answer;
    *good = iommu->device->ask(topic, arguments ? arguments : "", answer);
    return copy_of(answer);
}

char* wi_iommu_adjust(WiIommu* iommu, const char* option, const char* value)
{
    const auto wrong = iommu->device->adjust(option, value);
    return wrong.empty() ? nullptr : copy_of(wrong);
}

void wi_iommu_watch_faults(WiIommu* iommu, const WiFaultWatch* watch)
{
    iommu->device->history().watch(*watch);
}

}  // extern "C"
