// SPDX-License-Identifier: GPL-2.0-or-later
// Where a processor stands when its own access stopped the machine: right behind the
// instruction, nothing after it done (docs/specs/introspection.rst).
#include <unistd.h>

#include <cstring>

#include "tests/qtest/q35.hpp"
#include "tests/qtest/smmuv3_test.hpp"

namespace {

using namespace qtest;

// The hexadecimal number behind `name` in what "info registers" says.
std::uint64_t number_after(const std::string& text, const std::string& name)
{
    const auto at = text.find(name);
    return at == text.npos ? ~0ull
                           : std::strtoull(text.c_str() + at + name.size(), nullptr, 16);
}

std::string state(Machine& machine)
{
    return json_value(machine.qmp("query-status").json, "status");
}
bool reaches(Machine& machine, const std::string& wanted)
{
    for (int tries = 0; tries < 1000; ++tries) {
        if (state(machine) == wanted) {
            return true;
        }
        ::usleep(10'000);
    }
    return false;
}

// What the guest's code is to have left in its counter: 3 before the access, and 16 times
// 0x100 behind it, in the same translation block.
constexpr std::uint64_t before = 3, after = 0x1003;

struct Place {
    const char *pc, *counter;    // as "info registers" calls them
    std::uint64_t behind, last;  // the access; the loop at the end
};

void stop_at_faults(Machine& machine, const std::string& path)
{
    const auto a = machine.qmp(
        "qom-set",
        "{\"path\":\"" + path + "\",\"property\":\"fault-action\",\"value\":\"stop\"}");
    EXPECT_TRUE(a.ok) << a.json;
}

void check(Machine& machine, const Place& place, const char* stopped)
{
    machine.qmp("cont");
    ASSERT_TRUE(reaches(machine, stopped)) << state(machine);
    auto registers = machine.hmp("info registers");
    EXPECT_EQ(number_after(registers, place.pc), place.behind) << registers;
    EXPECT_EQ(number_after(registers, place.counter), before) << registers;
    // It goes on from there: nothing is left out, nothing done twice.
    machine.qmp("cont");
    ASSERT_TRUE(reaches(machine, "running"));
    ::usleep(100'000);
    machine.qmp("stop");
    ASSERT_TRUE(reaches(machine, "paused"));
    registers = machine.hmp("info registers");
    EXPECT_EQ(number_after(registers, place.pc), place.last) << registers;
    EXPECT_EQ(number_after(registers, place.counter), after) << registers;
}

void prepare(Endpoint& dma, std::uint64_t to)
{
    dma.w64(0x28, to);
    dma.w64(0x50, 1);
    dma.w32(0x30, 8);
}

class SmmuStop : public smmuv3::Test {
protected:
    void boot_code(const std::string& options)
    {
        start(options,
              {"-accel", "tcg", "-S", "-device", "loader,addr=0x47000000,cpu-num=0"});
        smmu->enable();
        stage1();
    }
    // Code that stores `value` at `address`.
    Place put_code(std::uint64_t address, std::uint32_t value)
    {
        std::uint64_t at = virt::ram + 0x7000000;
        const auto emit = [&](std::uint32_t instruction) {
            machine->write32(at, instruction);
            at += 4;
        };
        const auto half = [](std::uint64_t word, unsigned which) {
            return static_cast<std::uint32_t>(word >> 16 * which & 0xffff) << 5;
        };
        emit(0xd2800000);                     // mov x0, #0
        emit(0xd2800001 | half(address, 0));  // mov x1
        emit(0xf2a00001 | half(address, 1));
        emit(0xd2800002 | half(value, 0));  // mov x2
        for (int i = 0; i < 3; ++i) {
            emit(0x91000400);  // add x0, x0, #1
        }
        emit(0xb9000022);  // str w2, [x1]
        const auto behind = at;
        for (int i = 0; i < 16; ++i) {
            emit(0x91040000);  // add x0, x0, #0x100
        }
        const auto last = at;
        emit(0x14000000);  // b .
        return {"PC=", "X00=", behind, last};
    }
};

TEST_F(SmmuStop, IsExactForTheProcessorWhoseAccessWasRefused)
{
    boot_code("");
    const auto place = put_code(dma->registers() + 0x10, Endpoint::command_fill);
    prepare(*dma, smmuv3::iova + 0x100000);
    stop_at_faults(*machine, smmuv3::smmu_path);
    check(*machine, place, "debug");
}

TEST_F(SmmuStop, IsExactForTheProcessorThatMadeAMistake)
{
    boot_code("verify=stop");
    // SMMU 6.3.12: CR2 has no bit 4.
    check(*machine, put_code(virt::platform_bus + 0x2c, 0x10), "paused");
}

class VtdStop : public q35::Test {};

// Real mode, with the segment's base where a reset puts it: EIP is the address less that.
TEST_F(VtdStop, IsExactForTheProcessorWhoseAccessWasRefused)
{
    constexpr std::uint64_t code = 0x200000, eip = 0x210000;
    boot({"-accel", "tcg", "-S", "-device", "loader,addr=0x210000,cpu-num=0", "-device",
          "winiommu-vtd,id=unit", "-device", "winiommu-dma,addr=4"});
    Endpoint dma(*machine, *config, Function{0, 4, 0}, q35::pci_window);
    ASSERT_TRUE(dma.present());
    machine->write64(q35::unit + 0x20, q35::ram);  // an empty root table
    machine->write32(q35::unit + 0x18, 1u << 30);
    machine->write32(q35::unit + 0x18, 1u << 31);
    const auto doorbell = static_cast<std::uint32_t>(dma.registers() + 0x10);
    const std::uint32_t command = Endpoint::command_fill;
    std::vector<std::uint8_t> bytes = {0x66, 0x31, 0xc0};  // xor eax, eax
    for (int i = 0; i < 3; ++i) {
        bytes.insert(bytes.end(), {0x66, 0x40});  // inc eax
    }
    bytes.insert(bytes.end(), {0x67, 0x66, 0xc7, 0x05});  // mov dword [doorbell], command
    for (const auto word : {doorbell, command}) {
        for (unsigned shift = 0; shift < 32; shift += 8) {
            bytes.push_back(static_cast<std::uint8_t>(word >> shift));
        }
    }
    const auto behind = eip + bytes.size();
    for (int i = 0; i < 16; ++i) {
        bytes.insert(bytes.end(), {0x66, 0x05, 0, 1, 0, 0});  // add eax, 0x100
    }
    const auto last = eip + bytes.size();
    bytes.insert(bytes.end(), {0xeb, 0xfe});  // jmp .
    machine->write(code, bytes);
    prepare(dma, 0x4000'0000);
    stop_at_faults(*machine, "/machine/peripheral/unit");
    check(*machine, {"EIP=", "EAX=", behind, last}, "debug");
}

}  // namespace
