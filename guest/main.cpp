// SPDX-License-Identifier: GPL-2.0-or-later
// The UEFI application: takes what it needs from the firmware, leaves boot services, and
// runs the suite with nothing else in the machine.
#include <new>

#include "guest/acpi.hpp"
#include "guest/cpu.hpp"
#include "guest/efi.hpp"
#include "guest/home.hpp"
#include "guest/hunt.hpp"
#include "guest/run.hpp"
#include "guest/text.hpp"

namespace iommu::guest {

namespace {

constexpr std::uint64_t heap_size = 256ull << 20;

efi::SystemTable* firmware = nullptr;

// Objects that live as long as the program; without constructors that run before it.
Acpi acpi;
alignas(Guest) unsigned char guest_storage[sizeof(Guest)];

bool failed(efi::Status status)
{
    return status != 0;
}

void power_off [[noreturn]] ()
{
    firmware->Runtime->ResetSystem(efi::EfiResetShutdown, 0, 0, nullptr);
    cpu::halt();
}

void bail_out [[noreturn]] (const char* why)
{
    line("Bail out! ", why);
    power_off();
}

const void* find_rsdp()
{
    for (std::uintptr_t i = 0; i < firmware->NumberOfTableEntries; ++i) {
        if (firmware->Tables[i].VendorGuid == efi::acpi_20_table) {
            return firmware->Tables[i].VendorTable;
        }
    }
    return nullptr;
}

// --- what the host asks for: words "key=value" in the file winiommu.txt beside us

efi::File* open_request(efi::Handle image)
{
    auto* boot = firmware->Boot;
    void *loaded = nullptr, *volume = nullptr;
    if (failed(boot->HandleProtocol(image, &efi::loaded_image, &loaded))) {
        return nullptr;
    }
    const auto device = static_cast<efi::LoadedImage*>(loaded)->DeviceHandle;
    if (failed(boot->HandleProtocol(device, &efi::simple_file_system, &volume))) {
        return nullptr;
    }
    auto* files = static_cast<efi::SimpleFileSystem*>(volume);
    efi::File *root = nullptr, *file = nullptr;
    if (failed(files->OpenVolume(files, &root)) ||
        failed(root->Open(root, &file, u"winiommu.txt", efi::file_mode_read, 0))) {
        return nullptr;
    }
    return file;
}

// The word after `key`, or nullptr.
const char* value_of(const char* text, const char* key)
{
    const auto length = __builtin_strlen(key);
    for (bool word = true; *text != 0; ++text) {
        if (word && __builtin_strncmp(text, key, length) == 0) {
            return text + length;
        }
        word = *text <= ' ';
    }
    return nullptr;
}

unsigned number_at(const char* text, unsigned otherwise)
{
    if (text == nullptr) {
        return otherwise;
    }
    unsigned value = 0;
    while (*text >= '0' && *text <= '9' && value < 100000) {
        value = value * 10 + static_cast<unsigned>(*text++ - '0');
    }
    return value;
}

bool read_request(efi::Handle image, Request& request)
{
    char text[256] = {};
    std::uintptr_t size = sizeof(text) - 1;
    auto* file = open_request(image);
    if (file == nullptr || failed(file->Read(file, &size, text))) {
        return false;
    }
    request.first = number_at(value_of(text, "first="), 1);
    request.only = number_at(value_of(text, "only="), 0);
    request.mutant = number_at(value_of(text, "mutant="), 0);
    request.crash = number_at(value_of(text, "crash="), 0);
    request.hang = number_at(value_of(text, "hang="), 0);
    const auto* nonce = value_of(text, "nonce=");
    for (unsigned i = 0; nonce != nullptr && nonce[i] > ' ' && i < 32; ++i) {
        request.nonce[i] = nonce[i];
    }
    return true;
}

// --- memory, and the end of the firmware's services

alignas(8) unsigned char map[64 << 10];

// The last byte of RAM.  False: there is no memory map.
bool read_map(std::uintptr_t& key, std::uint64_t& highest)
{
    std::uintptr_t size = sizeof(map), step = 0;
    std::uint32_t version = 0;
    auto* first = reinterpret_cast<efi::MemoryDescriptor*>(map);
    if (failed(firmware->Boot->GetMemoryMap(&size, first, &key, &step, &version))) {
        return false;
    }
    for (std::uintptr_t at = 0; at < size; at += step) {
        const auto* d = reinterpret_cast<const efi::MemoryDescriptor*>(map + at);
        const auto end = d->PhysicalStart + d->NumberOfPages * Memory::page - 1;
        if (d->Type == efi::EfiConventionalMemory && end > highest) {
            highest = end;
        }
    }
    return true;
}

bool leave_firmware(efi::Handle image, std::uint64_t& highest)
{
    // An event between the two calls spoils the key; the second time there is none.
    for (unsigned attempt = 0; attempt < 4; ++attempt) {
        std::uintptr_t key = 0;
        if (read_map(key, highest) &&
            !failed(firmware->Boot->ExitBootServices(image, key))) {
            return true;
        }
    }
    return false;
}

void run(efi::Handle image)
{
    const bool tables = acpi.open(find_rsdp());
    cpu::open_serial(acpi);
    Request request;
    const bool asked = read_request(image, request);
    std::uint64_t heap = 0, highest = 0;
    const auto pages = heap_size / Memory::page;
    if (failed(firmware->Boot->AllocatePages(efi::AllocateAnyPages, efi::EfiLoaderData,
                                             pages, &heap))) {
        bail_out("256 MiB of memory are needed");
    }
    if (!leave_firmware(image, highest)) {
        bail_out("the firmware does not let go of the machine");
    }
    cpu::take_over();
    line("");
    line("# winiommu-guest ", request.nonce);
    if (!tables || !asked) {
        bail_out(tables ? "there is no winiommu.txt beside the program"
                        : "the firmware has no ACPI tables");
    }
    if (const char* error = cpu::start_interrupts(acpi); error != nullptr) {
        bail_out(error);
    }
    auto* guest = new (guest_storage) Guest;
    if (const char* error = guest->open(acpi, heap, heap_size, highest);
        error != nullptr) {
        bail_out(error);
    }
    if (request.mutant != 0) {
        hunt_mutants(*guest, request.mutant);
    } else {
        run_rules(*guest, request);
    }
    line("# ", std::uint64_t{guest->interrupts()}, " interrupts");
    line("# end ", request.nonce);
    power_off();
}

}  // namespace

void stopped(const char* what, std::uint64_t code, std::uint64_t at,
             std::uint64_t address)
{
    print("\r\nBail out! ");
    print(what);
    print(" ");
    print_hex(code);
    print(" at ");
    print_hex(at);
    print(", address ");
    print_hex(address);
    line("");
    power_off();
}

}  // namespace iommu::guest

extern "C" iommu::guest::efi::Status efi_main(iommu::guest::efi::Handle image,
                                              iommu::guest::efi::SystemTable* table)
{
    iommu::guest::firmware = table;
    iommu::guest::run(image);
    return 0;
}
