// SPDX-License-Identifier: GPL-2.0-or-later
// The reference driver where two processors meet in a callback.  Each meeting is
// arranged: one side stops at the moment in question until the other has gone as far as
// it can.
#include <atomic>
#include <iostream>
#include <thread>

#include "contract/reference.hpp"
#include "contract/sim/machine.hpp"
#include "contract/test.hpp"

namespace {

using namespace iommu::contract;

// --- a policy change on one processor, Unregister on another

WdmPlatform real;
thread_local bool stops_here = false;  // when it next lowers its level
std::atomic<unsigned> pauses{0};

// What the other processor does meanwhile.
struct Other {
    DMA_IOMMU_INTERFACE_V3* io = nullptr;
    PIOMMU_DMA_DEVICE device = nullptr;
    std::thread thread;
    std::atomic<bool> returned{false};
    NTSTATUS status = STATUS_UNSUCCESSFUL;
};
Other other;

struct Heard {
    unsigned calls = 0, after_unregister = 0;
};

VOID WDM_CALL hear(PIOMMU_INTERFACE_STATE_CHANGE, PVOID context)
{
    auto& heard = *static_cast<Heard*>(context);
    ++heard.calls;
    heard.after_unregister += other.returned ? 1 : 0;
}

// Unregister begins, and gets to where it waits for this processor.
void WDM_CALL lower(void* context, KIRQL to)
{
    real.lower_irql(context, to);
    if (!stops_here) {
        return;
    }
    stops_here = false;
    const unsigned before = pauses;
    other.thread = std::thread([] {
        other.status =
            other.io->UnregisterInterfaceStateChangeCallback(hear, other.device);
        other.returned = true;
    });
    while (!other.returned && pauses == before) {
        std::this_thread::yield();
    }
}

void WDM_CALL pause(void* context)
{
    ++pauses;
    real.pause(context);
}

NTSTATUS WDM_CALL start_hooked(const WdmPlatform* platform)
{
    static WdmPlatform hooked;
    real = hooked = *platform;
    hooked.lower_irql = lower;
    hooked.pause = pause;
    return IommuProviderStart(&hooked);
}

void unregister_during_a_change(Test& t)
{
    Heard heard;
    IOMMU_INTERFACE_STATE_CHANGE_FIELDS fields{};
    fields.AvailableDomainTypes = 1;
    auto* device = t.create_device(Who::PciA);
    other.io = &t.io;
    other.device = device;
    other.returned = false;
    t.ok(t.io.RegisterInterfaceStateChangeCallback(hear, &heard, device, &fields),
         "Register");
    t.home.policy().pass_through_off = true;
    stops_here = true;
    t.home.policy_changed();
    t.that(!stops_here && other.thread.joinable(), "the two met");
    other.thread.join();
    t.ok(other.status, "Unregister");
    t.that(heard.calls <= 2, "the callback was called once for the change, if at all");
    t.that(heard.after_unregister == 0, "and not after Unregister returned");
    t.ok(t.io.DeleteDevice(device), "DeleteDevice");
}

// --- a fault of one device while another's handler runs

struct Handled {
    Test* test = nullptr;
    unsigned calls = 0;
    bool runs = false, twice = false;
};
Handled first, second;

VOID WDM_CALL handle(PVOID context, PFAULT_INFORMATION)
{
    auto& handled = *static_cast<Handled*>(context);
    handled.twice = handled.twice || handled.runs;
    handled.runs = true;
    if (++handled.calls == 1 && &handled == &first) {
        auto& t = *handled.test;
        t.that(!t.try_dma(Who::PciB, spot, false), "the second device's access");
        std::thread([&t] { t.home.run_pending(); }).join();
    }
    handled.runs = false;
}

void report_to(Test& t, Who who, Handled& handled)
{
    handled = {};
    handled.test = &t;
    DEVICE_FAULT_CONFIGURATION config{handle, &handled};
    t.ok(t.v1.AttachDevice(t.translate(), t.home.device(who), 0, 1), "AttachDevice");
    t.ok(t.v1.SetDeviceFaultReporting(t.home.device(who), 0, TRUE, &config),
         "SetDeviceFaultReporting");
}

void fault_during_a_handler(Test& t)
{
    report_to(t, Who::PciA, first);
    report_to(t, Who::PciB, second);
    t.that(!t.try_dma(Who::PciA, spot, false), "the first device's access");
    t.home.run_pending();
    t.that(first.calls == 1, "the first device's fault is reported once");
    t.that(!first.twice && !second.twice, "no handler runs twice at once");
    t.that(second.calls == 1, "the second device's fault is reported");
}

// --- a device goes while its handler runs

// What ends the reporting on another processor.
struct Leaving {
    Test* test = nullptr;
    PIOMMU_DMA_DOMAIN domain = nullptr;
    bool detaches = false, created = false, left_early = false;
    std::atomic<bool> left{false};
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    std::thread thread;

    void leave()
    {
        auto* pdo = test->home.device(Who::PciA);
        status = detaches ? test->v1.DetachDevice(domain, pdo, 0)
                          : test->v1.SetDeviceFaultReporting(pdo, 0, FALSE, nullptr);
        left = true;
    }
};

// Uses the interface itself while the other waits for it to return.
VOID WDM_CALL stay(PVOID context, PFAULT_INFORMATION)
{
    auto& leaving = *static_cast<Leaving*>(context);
    const unsigned before = pauses;
    leaving.thread = std::thread([&leaving] { leaving.leave(); });
    while (!leaving.left && pauses == before) {
        std::this_thread::yield();
    }
    leaving.created = leaving.test->create_device(Who::PciB) != nullptr;
    leaving.left_early = leaving.left;
}

void leave_during_a_handler(Test& t)
{
    for (const bool detaches : {false, true}) {
        Leaving leaving;
        leaving.test = &t;
        leaving.domain = t.translate();
        leaving.detaches = detaches;
        auto* pdo = t.home.device(Who::PciA);
        DEVICE_FAULT_CONFIGURATION config{stay, &leaving};
        t.ok(t.v1.AttachDevice(leaving.domain, pdo, 0, 1), "AttachDevice");
        t.ok(t.v1.SetDeviceFaultReporting(pdo, 0, TRUE, &config), "enable");
        t.blocked(Who::PciA, spot, "the access");
        t.home.run_pending();
        if (!t.that(leaving.thread.joinable(), "the two met")) {
            return;
        }
        leaving.thread.join();
        t.ok(leaving.status, detaches ? "DetachDevice" : "disable");
        t.that(leaving.created, "the handler may use the interface");
        t.that(!leaving.left_early, "and has returned before the other does");
        if (!detaches) {
            t.ok(t.v1.DetachDevice(leaving.domain, pdo, 0), "DetachDevice");
        }
        t.ok(t.io.DeleteDomain(leaving.domain), "DeleteDomain");
    }
}

bool meet(Kind kind, const char* name, void (*check)(Test&))
{
    auto provider = linked_provider();
    provider.start = start_hooked;
    sim::Machine machine(provider, {.kind = kind});
    if (const char* error = machine.start(); error != nullptr) {
        std::cout << error << std::endl;
        return false;
    }
    char message[1024] = "";
    Test t(machine, message, sizeof(message));
    if (t.need_tables()) {
        check(t);
    }
    const bool good = t.outcome(Tag::Documented) == Outcome::Passed;
    std::cout << name_of(kind) << ", " << name << ": " << (good ? "passed" : message)
              << std::endl;
    return good;
}

}  // namespace

int main()
{
    bool good = true;
    for (const auto kind : all_kinds) {
        good = meet(kind, "a fault during a handler", fault_during_a_handler) && good;
        good = meet(kind, "leaving during a handler", leave_during_a_handler) && good;
        good =
            meet(kind, "Unregister during a change", unregister_during_a_change) && good;
    }
    return good ? 0 : 1;
}
