/*
 * Questions to an IOMMU, and stopping at its faults, as QOM properties:
 * docs/specs/introspection.rst.
 *
 * The core knows which questions there are and answers in JSON; here it becomes what QMP
 * and the human monitor show.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "qapi/visitor.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "system/cpus.h"
#include "system/runstate.h"
#include "winiommu-pci.h"
#if __has_include("qobject/qjson.h")
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "qobject/qlist.h"
#include "qobject/qobject.h"
#else
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qobject.h"
#endif

static const struct {
    const char* name;
    const char* request;
    const char* what;
} topics[WI_TOPICS] = {
    {"faults", "faults-request", "the last refused accesses, decoded"},
    /* Before its own beginning: topic_of(). */
    {"walk-interrupt", "walk-interrupt-request",
     "what an interrupt message would come to, step by step"},
    {"walk", "walk-request", "what an access would come to, step by step"},
    {"stream", "stream-request", "the structures of a requester, decoded"},
    {"context", "context-request", "the structures of a requester, decoded"},
    {"tlb-entries", "tlb-entries-request", "cached translations"},
    {"queues", "queues-request", "commands and records in the queues"},
    {"stats", NULL, "what has happened so far"},
};

/* ---------------------------------------------------------------- questions */

/* NULL and *errp, or what wi_iommu_ask() says; to be freed. */
static char* ask(WinIommuHost* s, unsigned topic, const char* request, Error** errp)
{
    bool good = false;
    char* text;

    if (!s->iommu) {
        error_setg(errp, "%s is not realized yet", s->name);
        return NULL;
    }
    RCU_READ_LOCK_GUARD();
    text = wi_iommu_ask(s->iommu, topics[topic].name, request, &good);
    if (good) {
        return text;
    }
    error_setg(errp, "%s", text ? text : "out of memory");
    free(text);
    return NULL;
}

static unsigned topic_of(const char* name)
{
    unsigned topic = 0;

    while (strncmp(topics[topic].name, name, strlen(topics[topic].name))) {
        topic++;
    }
    return topic;
}

static void get_answer(Object* object, Visitor* v, const char* name, void* opaque,
                       Error** errp)
{
    WinIommuHost* s = opaque;
    const unsigned topic = topic_of(name);
    QObject* value;
    char* answer = ask(s, topic, s->requests[topic], errp);

    if (!answer) {
        return;
    }
    value = qobject_from_json(answer, errp);
    free(answer);
    if (value) {
        visit_type_any(v, name, &value, errp);
        qobject_unref(value);
    }
}

static void get_request(Object* object, Visitor* v, const char* name, void* opaque,
                        Error** errp)
{
    WinIommuHost* s = opaque;
    const char* request = s->requests[topic_of(name)];
    g_autofree char* text = g_strdup(request ? request : "");

    visit_type_str(v, name, &text, errp);
}

/* A request that has no answer is refused at once. */
static void set_request(Object* object, Visitor* v, const char* name, void* opaque,
                        Error** errp)
{
    WinIommuHost* s = opaque;
    const unsigned topic = topic_of(name);
    g_autofree char* text = NULL;
    char* answer;

    if (!visit_type_str(v, name, &text, errp)) {
        return;
    }
    answer = ask(s, topic, text, errp);
    if (answer) {
        free(answer);
        g_free(s->requests[topic]);
        s->requests[topic] = g_steal_pointer(&text);
    }
}

/* ---------------------------------------------------------------- requesters */

/* Below a bridge there is no requester ID before the guest has numbered the bus. */
static bool has_number(const WiFunction* f)
{
    return is_present(f->bus) && (!f->secondary_bus || *f->secondary_bus);
}

/* Whose accesses come here: of several IOMMUs in a machine only QEMU knows which. */
static void get_requesters(Object* object, Visitor* v, const char* name, void* opaque,
                           Error** errp)
{
    WinIommuHost* s = opaque;
    QDict* answer = qdict_new();
    QList* sids = qlist_new();
    QObject* value = QOBJECT(answer);
    WiFunction* f;

    QLIST_FOREACH(f, &s->functions, next)
    {
        if (has_number(f)) {
            g_autofree char* sid = g_strdup_printf("0x%x", stream_id(f, bus_number(f)));

            qlist_append_str(sids, sid);
        }
    }
    qdict_put_str(answer, "bus", s->bus ? BUS(s->bus)->name : "");
    qdict_put(answer, "sids", sids);
    visit_type_any(v, name, &value, errp);
    qobject_unref(answer);
}

/* ---------------------------------------------------------------- options */

static bool adjust(WinIommuHost* s, const char* option, const char* value, Error** errp)
{
    char* problem = wi_iommu_adjust(s->iommu, option, value);

    if (problem) {
        error_setg(errp, "%s: %s", s->name, problem);
        free(problem);
        return false;
    }
    return true;
}

static char** option_of(WinIommuHost* s, const char* name)
{
    return strcmp(name, "fault-action") ? &s->fault_filter : &s->fault_action;
}

static void get_option(Object* object, Visitor* v, const char* name, void* opaque,
                       Error** errp)
{
    char* value = *option_of(opaque, name);
    g_autofree char* text = g_strdup(value ? value : "");

    visit_type_str(v, name, &text, errp);
}

static void set_option(Object* object, Visitor* v, const char* name, void* opaque,
                       Error** errp)
{
    WinIommuHost* s = opaque;
    char** option = option_of(s, name);
    g_autofree char* text = NULL;

    if (visit_type_str(v, name, &text, errp) &&
        (!s->iommu || adjust(s, name, text, errp))) {
        g_free(*option);
        *option = g_steal_pointer(&text);
    }
}

/* ---------------------------------------------------------------- stopping */

static int64_t virtual_time(void* opaque)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

/*
 * As vm_stop() does on a vCPU's thread, on any: the main loop stops the machine, and the
 * gdbstub hears of it.  A vCPU that caused the access goes no further.
 */
static void stop(void* opaque)
{
    if (!runstate_is_running()) {
        return;
    }
    qemu_system_vmstop_request_prepare();
    qemu_system_vmstop_request(RUN_STATE_DEBUG);
    if (qemu_in_vcpu_thread()) {
        cpu_stop_current();
    }
}

/* ---------------------------------------------------------------- life */

void winiommu_introspect_init(WinIommuHost* s)
{
    s->fault_action = g_strdup("record");
    for (unsigned topic = 0; topic < WI_TOPICS; topic++) {
        object_property_add(s->owner, topics[topic].name, "any", get_answer, NULL, NULL,
                            s);
        object_property_set_description(s->owner, topics[topic].name, topics[topic].what);
        if (topics[topic].request) {
            object_property_add(s->owner, topics[topic].request, "str", get_request,
                                set_request, NULL, s);
            object_property_set_description(
                s->owner, topics[topic].request,
                "key=value,... for the property without -request");
        }
    }
    object_property_add(s->owner, "requesters", "any", get_requesters, NULL, NULL, s);
    object_property_set_description(s->owner, "requesters",
                                    "whose accesses come here, and the root bus");
    object_property_add(s->owner, "fault-action", "str", get_option, set_option, NULL, s);
    object_property_set_description(s->owner, "fault-action",
                                    "record, stop the machine at a fault, or off");
    object_property_add(s->owner, "fault-filter", "str", get_option, set_option, NULL, s);
    object_property_set_description(
        s->owner, "fault-filter",
        "which faults stop: sid, pasid, first, last, event, access");
}

bool winiommu_introspect_start(WinIommuHost* s, Error** errp)
{
    const WiFaultWatch watch = {
        .opaque = s,
        .virtual_time = virtual_time,
        .stop = stop,
    };

    wi_iommu_watch_faults(s->iommu, &watch);
    return adjust(s, "fault-action", s->fault_action, errp) &&
           (!s->fault_filter || adjust(s, "fault-filter", s->fault_filter, errp));
}
