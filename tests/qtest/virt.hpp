// SPDX-License-Identifier: GPL-2.0-or-later
// The `virt` machine as tests start it, and the addresses they use there.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/qtest/pci.hpp"
#include "tests/qtest/places.hpp"
#include "tests/qtest/qtest_client.hpp"

namespace qtest::virt {

inline const char* qemu()
{
    return std::getenv("WINIOMMU_QEMU_AARCH64");
}

inline std::vector<std::string> arguments(const std::vector<std::string>& more)
{
    std::vector<std::string> all = {
        "-M", "virt,gic-version=3,its=on", "-cpu", "cortex-a57", "-m", "256M"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

// A test without its QEMU fails: skipping would look like passing.
class Test : public ::testing::Test {
protected:
    void boot(const std::vector<std::string>& more)
    {
        if (!qemu()) {
            throw std::runtime_error("set WINIOMMU_QEMU_AARCH64 to qemu-system-aarch64");
        }
        std::string error;
        machine.reset();
        machine = Machine::start(qemu(), arguments(more), error);
        if (!machine) {
            throw std::runtime_error(error);
        }
        config = ecam(*machine, ecam_base);
    }

    // QEMU must refuse to start, and say `expected`.
    void refuse(const std::vector<std::string>& more, const std::string& expected)
    {
        ASSERT_NE(qemu(), nullptr) << "set WINIOMMU_QEMU_AARCH64 to qemu-system-aarch64";
        std::string error;
        EXPECT_EQ(Machine::start(qemu(), arguments(more), error), nullptr);
        EXPECT_NE(error.find(expected), std::string::npos) << error;
    }

    void TearDown() override
    {
        if (machine) {
            EXPECT_TRUE(machine->alive()) << "QEMU died: " << machine->output();
        }
    }

    std::unique_ptr<Machine> machine;
    std::unique_ptr<ConfigSpace> config;
};

}  // namespace qtest::virt
