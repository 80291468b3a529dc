/*
 * The interface of winiommu-translator.h: its QOM type, and the search for who implements
 * it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include "winiommu-compat.h"
#include "winiommu-translator.h"

typedef struct Search {
    AddressSpace* as;
    WiTranslatorClass* klass;
    WiFunction* function;
} Search;

static int ask(Object* object, void* opaque)
{
    Search* search = opaque;

    if (!object_dynamic_cast(object, TYPE_WINIOMMU_TRANSLATOR)) {
        return 0;
    }
    search->klass = WINIOMMU_TRANSLATOR_CLASS(object_get_class(object));
    search->function = search->klass->function(object, search->as);
    return search->function != NULL;
}

WiTranslatorClass* winiommu_find_translator(AddressSpace* as, WiFunction** function)
{
    Search search = {.as = as};

    if (!object_child_foreach_recursive(object_get_root(), ask, &search)) {
        return NULL;
    }
    *function = search.function;
    return search.klass;
}

static const TypeInfo translator_info = {
    .name = TYPE_WINIOMMU_TRANSLATOR,
    .parent = TYPE_INTERFACE,
    .class_size = sizeof(WiTranslatorClass),
};

static void translator_register(void)
{
    type_register_static(&translator_info);
}

type_init(translator_register)
