// SPDX-License-Identifier: GPL-2.0-or-later
// The `q35` machine as tests start it, and the addresses they use there.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/qtest/pci.hpp"
#include "tests/qtest/places.hpp"
#include "tests/qtest/qtest_client.hpp"

namespace qtest::q35 {

inline const char* qemu()
{
    return std::getenv("WINIOMMU_QEMU_X86_64");
}

// A test without its QEMU fails: skipping would look like passing.
class Test : public ::testing::Test {
protected:
    static std::vector<std::string> arguments(const std::vector<std::string>& more)
    {
        std::vector<std::string> all = {"-M", "q35", "-m", "256M"};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    void boot(const std::vector<std::string>& more)
    {
        ASSERT_NE(qemu(), nullptr) << "set WINIOMMU_QEMU_X86_64 to qemu-system-x86_64";
        std::string error;
        machine = Machine::start(qemu(), arguments(more), error);
        ASSERT_NE(machine, nullptr) << error;
        config = ports(*machine);
    }

    // QEMU must refuse to start, and say `expected`.
    void refuse(const std::vector<std::string>& more, const std::string& expected)
    {
        ASSERT_NE(qemu(), nullptr) << "set WINIOMMU_QEMU_X86_64 to qemu-system-x86_64";
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

}  // namespace qtest::q35
