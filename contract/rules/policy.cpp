// SPDX-License-Identifier: GPL-2.0-or-later
// G. Available types and policy.  H. State-change callbacks.
#include "contract/rules/rules.hpp"

namespace iommu::contract {

namespace {

constexpr IOMMU_DMA_DOMAIN_TYPE every_type[] = {
    DomainTypeTranslate, DomainTypePassThrough, DomainTypeUnmanaged,
    DomainTypeTranslateS1};

ULONG mask_of(Test& t, PIOMMU_DMA_DEVICE device)
{
    ULONG mask = 0xdead'0000;
    t.io.QueryAvailableDomainTypes(device, &mask);
    return mask;
}

// DMA Guard blocks an external device whose driver has not opted in, until an unlock.
void lock_out(Test& t, Who who)
{
    t.home.policy().dma_guard = true;
    t.home.policy().unlocked_once = false;
    t.home.identity(who).external = true;
    t.home.identity(who).opted_in = false;
}

// What a state-change callback was told.
struct News {
    Test* test = nullptr;
    unsigned calls = 0;
    ULONG present = 0, mask = 0;
    KIRQL irql = 0xff;
};

VOID WDM_CALL listen(PIOMMU_INTERFACE_STATE_CHANGE change, PVOID context)
{
    auto* news = static_cast<News*>(context);
    if (news != nullptr) {
        ++news->calls;
        news->present = change->PresentFields.AsULONG;
        news->mask = change->AvailableDomainTypes;
        news->irql = news->test->home.irql();
    }
}
VOID WDM_CALL ignore(PIOMMU_INTERFACE_STATE_CHANGE, PVOID) {}

NTSTATUS subscribe(Test& t, PIOMMU_DMA_DEVICE device, News& news, ULONG fields = 1)
{
    news.test = &t;
    IOMMU_INTERFACE_STATE_CHANGE_FIELDS f{};
    f.AsULONG = fields;
    return t.io.RegisterInterfaceStateChangeCallback(listen, &news, device, &f);
}

}  // namespace

void rule_77(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    const auto mask = mask_of(t, device);
    t.that((mask & 1) != 0, "Translate is bit 0");
    t.that((mask & 2) != 0, "PassThrough is bit 1");
    t.that((mask & 4) != 0, "Unmanaged is bit 2");
    PIOMMU_DMA_DOMAIN d = nullptr;
    const bool s1 = NT_SUCCESS(t.try_create(DomainTypeTranslateS1, &d));
    t.that(((mask & 8) != 0) == s1, "TranslateS1 is bit 3");
}

void rule_78(Test& t)
{
    if (t.need_tables()) {
        lock_out(t, Who::PciB);
        t.that((mask_of(t, t.create_device(Who::PciB)) & 2) == 0, "no PassThrough");
        t.home.policy().unlocked_once = true;
        t.home.policy_changed();
        t.that((mask_of(t, t.create_device(Who::PciB)) & 2) != 0,
               "PassThrough after unlock");
    }
}

void rule_79(Test& t)
{
    if (t.need_tables()) {
        auto* device = t.create_device(Who::PciA);
        t.home.policy().remapping_available = false;
        t.that((mask_of(t, device) & 0xd) == 0, "no type that remaps");
    }
}

void rule_80(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    PIOMMU_DMA_DOMAIN made[4] = {};
    for (unsigned i = 0; i < 4; ++i) {
        t.try_create(every_type[i], &made[i]);
    }
    lock_out(t, Who::PciB);
    auto* device = t.create_device(Who::PciB);
    const auto mask = mask_of(t, device);
    bool any = false;
    for (unsigned i = 0; i < 4; ++i) {
        if (made[i] != nullptr && (mask & (1u << i)) == 0) {
            any = true;
            t.status(t.io.AttachDeviceEx(made[i], device), STATUS_ACCESS_DENIED,
                     "attach of a type whose bit is clear");
        }
    }
    t.that(any, "a locked-out device lacks at least one type");
}

void rule_81(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    const auto mask = mask_of(t, device);
    for (unsigned i = 0; i < 4; ++i) {
        PIOMMU_DMA_DOMAIN d = nullptr;
        if ((mask & (1u << i)) != 0) {
            t.ok(t.try_create(every_type[i], &d), "create of a type whose bit is set");
            t.ok(t.io.AttachDeviceEx(d, device), "attach of a type whose bit is set");
            t.ok(t.io.DetachDeviceEx(device), "DetachDeviceEx");
        }
    }
}

void rule_82(Test& t)
{
    if (t.need_tables()) {
        t.that((mask_of(t, t.create_device(Who::PciA)) & ~0xfu) == 0,
               "no other bit is set");
    }
}

void rule_83(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* second = t.create(DomainTypePassThrough);
    const auto s = t.attached_to(t.create(DomainTypePassThrough));
    auto* other = t.create_device(Who::PciB);
    const auto at = t.memory();
    t.reaches(Who::PciA, at, at, "PassThrough");
    t.home.policy().pass_through_off = true;
    t.home.policy_changed();
    if (s) {
        t.reaches(Who::PciA, at, at, "the attachment outlives the policy");
        t.status(t.io.AttachDeviceEx(second, other), STATUS_ACCESS_DENIED,
                 "a new attach");
    }
}

// --- H

void rule_84(Test& t)
{
    News news;
    if (t.need_tables()) {
        t.ok(subscribe(t, t.create_device(Who::PciA), news), "Register");
        t.proposed(news.calls >= 1, "the callback ran before Register returned");
        t.home.run_pending();
        t.that(news.calls >= 1, "the callback has run with its context");
    }
}

void rule_85(Test& t)
{
    News news;
    if (t.need_tables()) {
        auto* device = t.create_device(Who::PciA);
        t.ok(subscribe(t, device, news), "Register");
        t.home.run_pending();
        t.that((news.present & 1) != 0, "PresentFields says that the mask is present");
        t.that(news.mask == mask_of(t, device), "the mask is the one a query returns");
    }
}

void rule_86(Test& t)
{
    News news;
    if (t.need_tables()) {
        t.status(subscribe(t, t.create_device(Who::PciA), news, 0),
                 STATUS_INVALID_PARAMETER_4, "no field of interest");
        t.proposed(news.calls == 0, "the callback was not invoked");
    }
}

void rule_87(Test& t)
{
    News news;
    if (t.need_tables()) {
        t.status(subscribe(t, t.create_device(Who::PciA), news, 2),
                 STATUS_INVALID_PARAMETER_4, "a reserved field alone");
    }
}

void rule_88(Test& t)
{
    News first, second;
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    t.ok(subscribe(t, device, first), "Register");
    t.status(subscribe(t, device, second), STATUS_UNSUCCESSFUL, "a second Register");
    IOMMU_INTERFACE_STATE_CHANGE_FIELDS f{};
    f.AsULONG = 1;
    t.status(t.io.RegisterInterfaceStateChangeCallback(ignore, nullptr, device, &f),
             STATUS_UNSUCCESSFUL, "a second Register with another routine");
    const auto before = first.calls;
    t.home.policy().pass_through_off = true;
    t.home.policy_changed();
    t.that(first.calls > before && second.calls == 0, "the first registration is intact");
}

void rule_89(Test& t)
{
    News a, b;
    if (t.need_tables()) {
        t.ok(subscribe(t, t.create_device(Who::PciA), a), "Register for one device");
        t.ok(subscribe(t, t.create_device(Who::PciB), b), "the same routine for another");
    }
}

void rule_90(Test& t)
{
    News news;
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    t.ok(subscribe(t, device, news), "Register");
    t.home.run_pending();
    const auto before = news.calls;
    t.home.policy().pass_through_off = true;
    t.home.policy_changed();
    t.home.run_pending();
    t.that(news.calls > before, "the callback is invoked");
    t.that(news.mask == mask_of(t, device) && (news.mask & 2) == 0,
           "with the whole new mask");
    t.that((news.mask & 1) != 0, "and not only with what changed");
}

void rule_91(Test& t)
{
    News news;
    if (!t.need_tables()) {
        return;
    }
    t.ok(subscribe(t, t.create_device(Who::PciA), news), "Register");
    const auto before = news.calls;
    t.home.policy().enumeration = 2;
    t.home.policy_changed();
    t.home.run_pending();
    t.that(news.calls == before, "no invocation for a mask that did not change");
}

void rule_92(Test& t)
{
    News news;
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    t.ok(subscribe(t, device, news), "Register");
    t.ok(t.io.UnregisterInterfaceStateChangeCallback(listen, device), "Unregister");
    const auto before = news.calls;
    t.home.policy().pass_through_off = true;
    t.home.policy_changed();
    t.home.run_pending();
    t.that(news.calls == before, "no invocation afterwards");
}

void rule_93(Test& t)
{
    News news;
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    t.status(t.io.UnregisterInterfaceStateChangeCallback(listen, device),
             STATUS_UNSUCCESSFUL, "Unregister of what was never registered");
    t.ok(subscribe(t, device, news), "Register");
    t.status(t.io.UnregisterInterfaceStateChangeCallback(ignore, device),
             STATUS_UNSUCCESSFUL, "Unregister with another routine");
    t.ok(t.io.UnregisterInterfaceStateChangeCallback(listen, device),
         "with the right one");
}

void rule_94(Test& t)
{
    News news;
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    t.ok(subscribe(t, device, news), "Register");
    t.ok(t.io.UnregisterInterfaceStateChangeCallback(listen, device), "Unregister");
    t.home.run_pending();
    const auto before = news.calls;
    t.ok(subscribe(t, device, news), "Register again");
    t.home.run_pending();
    t.that(news.calls > before, "the callback fires again");
}

void rule_95(Test& t)
{
    News news;
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    const auto before = t.home.references(Who::PciA);
    t.ok(subscribe(t, device, news), "Register");
    t.that(t.home.references(Who::PciA) == before + 1, "Register takes a reference");
    t.ok(t.io.UnregisterInterfaceStateChangeCallback(listen, device), "Unregister");
    t.that(t.home.references(Who::PciA) == before, "Unregister gives it back");
}

void rule_96(Test& t)
{
    News news;
    if (t.need_tables()) {
        t.ok(subscribe(t, t.create_device(Who::PciA), news), "Register");
        t.home.run_pending();
        t.that(news.irql == PASSIVE_LEVEL, "the callback runs at PASSIVE_LEVEL");
        t.that(t.home.irql() == PASSIVE_LEVEL, "and so does what follows");
    }
}

}  // namespace iommu::contract
