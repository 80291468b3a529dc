/*
 * Verify mode and the record of an IOMMU as properties: verify, record, findings.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "system/cpus.h"
#include "system/runstate.h"
#include "system/system.h"
#include "trace/control.h"
#include "trace/trace-hw_winiommu.h"
#include "winiommu-host.h"

#define TICK_MS 250

/* Any thread, with or without the BQL. */
static void found(void* opaque, const char* line, const char* json)
{
    WinIommuHost* s = opaque;

    qemu_log_mask(LOG_GUEST_ERROR, "%s: %s\n", s->name, line);
    trace_winiommu_finding(s->index, line);
    if (s->stop_at_finding) {
        qemu_system_vmstop_request_prepare();
        qemu_system_vmstop_request(RUN_STATE_PAUSED);
        if (qemu_in_vcpu_thread()) {
            cpu_stop_current();
        }
    }
}

static void command(void* opaque, uint64_t low, uint64_t high)
{
    WinIommuHost* s = opaque;

    trace_winiommu_command(s->index, low, high);
}

static void mapped(void* opaque, uint32_t requester, uint64_t address, uint64_t output,
                   unsigned log2size, unsigned rights)
{
    WinIommuHost* s = opaque;

    trace_winiommu_mapped(s->index, requester, address, output, log2size, rights);
}

static void tick(void* opaque)
{
    WinIommuHost* s = opaque;

    wi_iommu_tick(s->iommu);
    timer_mod(s->tick, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + TICK_MS);
}

static void at_exit(Notifier* notifier, void* data)
{
    wi_iommu_finish(container_of(notifier, WinIommuHost, exit)->iommu);
}

static void get_findings(Object* object, Visitor* v, const char* name, void* opaque,
                         Error** errp)
{
    WinIommuHost* s = opaque;
    char* text = s->iommu ? wi_iommu_findings(s->iommu) : strdup("");

    visit_type_str(v, name, &text, errp);
    free(text);
}

void winiommu_verify_init(WinIommuHost* s)
{
    object_property_add(s->owner, "findings", "str", get_findings, NULL, NULL, s);
    object_property_set_description(s->owner, "findings",
                                    "what verify mode has found, as JSON");
}

static bool events_wanted(void)
{
    return trace_event_get_state_backends(TRACE_WINIOMMU_COMMAND) ||
           trace_event_get_state_backends(TRACE_WINIOMMU_MAPPED);
}

bool winiommu_verify_start(WinIommuHost* s, Error** errp)
{
    const bool log = s->verify && !strcmp(s->verify, "log");
    const WiWatch watch = {
        .opaque = s,
        .found = found,
        .command = command,
        .mapped = mapped,
        .verify = log || (s->verify && !strcmp(s->verify, "stop")),
    };
    char* problem = NULL;

    if (s->verify && !watch.verify && strcmp(s->verify, "off")) {
        error_setg(errp, "%s: verify=%s is none of off, log, stop", s->name, s->verify);
        return false;
    }
    if (!watch.verify && !s->record && !events_wanted()) {
        return true;
    }
    s->stop_at_finding = watch.verify && !log;
    wi_iommu_watch(s->iommu, &watch);
    if (s->record && !wi_iommu_record(s->iommu, s->record, &problem)) {
        error_setg(errp, "%s: record: %s", s->name, problem);
        free(problem);
        return false;
    }
    s->tick = timer_new_ms(QEMU_CLOCK_REALTIME, tick, s);
    tick(s);
    s->exit.notify = at_exit;
    qemu_add_exit_notifier(&s->exit);
    return true;
}
