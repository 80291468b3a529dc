/*
 * The benchmark's two ends: a PCI function that times DMA translations and doorbells from
 * inside QEMU, and an IOMMU that answers at once, the floor of QEMU's own interface.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"

#include <time.h>

#include "qemu/main-loop.h"
#include "qemu/memalign.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "winiommu-compat.h"

#define TYPE_WINIOMMU_BENCH "winiommu-bench"
#define TYPE_WINIOMMU_NULL "winiommu-null"
#define TYPE_WINIOMMU_NULL_REGION "winiommu-null-region"
OBJECT_DECLARE_SIMPLE_TYPE(WiBench, WINIOMMU_BENCH)
OBJECT_DECLARE_SIMPLE_TYPE(WiNull, WINIOMMU_NULL)

/* Registers, 64 bits each; docs/devel/bench.rst.  A write to RUN times one run. */
enum {
    BENCH_RUN = 0x00,        /* write: the operation, see below */
    BENCH_BASE = 0x08,       /* first address */
    BENCH_PAGES = 0x10,      /* how many pages, a power of two */
    BENCH_STRIDE = 0x18,     /* bytes from one page to the next */
    BENCH_LENGTH = 0x20,     /* bytes of one DMA */
    BENCH_COUNT = 0x28,      /* accesses or doorbells in the run */
    BENCH_THREADS = 0x30,    /* 1 or 2 */
    BENCH_BELL = 0x38,       /* doorbell register's address */
    BENCH_BELL_MASK = 0x40,  /* index wraps: (index & mask) is written */
    BENCH_BELL_STEP = 0x48,  /* commands a doorbell, already in the ring */
    BENCH_BELL_SHIFT = 0x50, /* the index stands this far left in the register */
    BENCH_BELL_INDEX = 0x58, /* where the ring stands; moves on with each doorbell */
    BENCH_NS = 0x60,         /* result: nanoseconds of the timed part */
    BENCH_DONE = 0x68,       /* result: accesses that succeeded */
    BENCH_REGS = 0x70 / 8,
};

enum {
    OP_TRANSLATE = 1, /* address_space_translate only */
    OP_READ = 2,      /* DMA reads of LENGTH */
    OP_DOORBELL = 3,  /* COUNT doorbells */
    OP_COLD = 4,  /* COUNT times: a doorbell, not timed, then PAGES translations, timed */
    OP_EMPTY = 5, /* the loop and the address pattern alone */
};

#define MAX_DMA (64 * KiB)
#define MAX_THREADS 2

struct WiBench {
    PCIDevice parent;
    MemoryRegion mmio;
    uint64_t reg[BENCH_REGS];
};

typedef struct Run {
    WiBench* bench;
    AddressSpace* as;
    unsigned op, thread;
    uint64_t base, pages, stride, length, count;
    uint8_t* buffer;
    uint64_t ns, done;
    QemuThread handle;
} Run;

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* A full-period walk over the pages in a scattered order, without a table to disturb the
 * caches. */
static uint64_t next_page(uint64_t page, uint64_t pages)
{
    return (page * 0x5deece66dull + 0xb) & (pages - 1);
}

static uint64_t bench_translate(AddressSpace* as, uint64_t at)
{
    hwaddr xlat, len = 4;
    MemoryRegion* mr =
        address_space_translate(as, at, &xlat, &len, false, MEMTXATTRS_UNSPECIFIED);
    return memory_region_is_ram(mr);
}

static void bench_accesses(Run* r, uint64_t count)
{
    uint64_t page = r->thread * (r->pages / 2);
    uint64_t done = 0; /* of its own: two threads' runs may lie in one cache line */
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = r->base + page * r->stride;
        switch (r->op) {
        case OP_READ:
            done += address_space_read(r->as, at, MEMTXATTRS_UNSPECIFIED, r->buffer,
                                       r->length) == MEMTX_OK;
            break;
        case OP_EMPTY:
            done += at != 0;
            break;
        default:
            done += bench_translate(r->as, at);
            break;
        }
        page = next_page(page, r->pages);
    }
    r->done += done;
}

static void* bench_thread(void* opaque)
{
    Run* r = opaque;
    rcu_register_thread();
    uint64_t start = now_ns(CLOCK_MONOTONIC);
    WITH_RCU_READ_LOCK_GUARD()
    {
        bench_accesses(r, r->count);
    }
    r->ns = now_ns(CLOCK_MONOTONIC) - start;
    rcu_unregister_thread();
    return NULL;
}

static void ring_doorbell(WiBench* b)
{
    uint64_t index = b->reg[BENCH_BELL_INDEX / 8] + b->reg[BENCH_BELL_STEP / 8];
    b->reg[BENCH_BELL_INDEX / 8] = index & b->reg[BENCH_BELL_MASK / 8];
    address_space_stl_le(&address_space_memory, b->reg[BENCH_BELL / 8],
                         b->reg[BENCH_BELL_INDEX / 8] << b->reg[BENCH_BELL_SHIFT / 8],
                         MEMTXATTRS_UNSPECIFIED, NULL);
}

static void run_here(Run* r)
{
    WiBench* b = r->bench;
    uint64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID);

    if (r->op == OP_DOORBELL) {
        for (uint64_t i = 0; i < r->count; i++) {
            ring_doorbell(b);
        }
    } else if (r->op == OP_COLD) {
        for (uint64_t i = 0; i < r->count; i++) {
            ring_doorbell(b);
            uint64_t from = now_ns(CLOCK_THREAD_CPUTIME_ID);
            WITH_RCU_READ_LOCK_GUARD()
            {
                bench_accesses(r, r->pages);
            }
            r->ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - from;
        }
        return;
    } else {
        WITH_RCU_READ_LOCK_GUARD()
        {
            bench_accesses(r, r->count);
        }
    }
    r->ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - start;
}

static void run_threads(Run* runs, unsigned n)
{
    for (unsigned t = 0; t < n; t++) {
        qemu_thread_create(&runs[t].handle, "bench", bench_thread, &runs[t],
                           QEMU_THREAD_JOINABLE);
    }
    /* An access that ends at a device's register takes the big lock, and must get it. */
    bql_unlock();
    for (unsigned t = 0; t < n; t++) {
        qemu_thread_join(&runs[t].handle);
    }
    bql_lock();
}

static void bench_run(WiBench* b, unsigned op)
{
    Run runs[MAX_THREADS] = {};
    unsigned threads = b->reg[BENCH_THREADS / 8] == 2 ? 2 : 1;
    uint64_t pages = b->reg[BENCH_PAGES / 8];

    b->reg[BENCH_NS / 8] = b->reg[BENCH_DONE / 8] = 0;
    if (op < OP_TRANSLATE || op > OP_EMPTY || !is_power_of_2(pages) ||
        b->reg[BENCH_LENGTH / 8] > MAX_DMA) {
        return; /* NS 0 says that nothing was run */
    }
    for (unsigned t = 0; t < threads; t++) {
        runs[t] = (Run){
            .bench = b,
            .as = pci_get_address_space(PCI_DEVICE(b)),
            .op = op,
            .thread = t,
            .base = b->reg[BENCH_BASE / 8],
            .pages = pages,
            .stride = b->reg[BENCH_STRIDE / 8],
            .length = b->reg[BENCH_LENGTH / 8],
            .count = b->reg[BENCH_COUNT / 8],
            /* How fast a page is copied to it may follow from where it begins in one. */
            .buffer = qemu_memalign(4 * KiB, MAX_DMA),
        };
        memset(runs[t].buffer, 0, MAX_DMA);
    }
    if (threads == 2) {
        run_threads(runs, threads);
    } else {
        run_here(&runs[0]);
    }
    for (unsigned t = 0; t < threads; t++) {
        /* A thread's clock leaves out what the host took, and may stand still for a
         * doorbell. */
        b->reg[BENCH_NS / 8] = MAX(MAX(b->reg[BENCH_NS / 8], runs[t].ns), 1);
        b->reg[BENCH_DONE / 8] += runs[t].done;
        qemu_vfree(runs[t].buffer);
    }
}

static uint64_t bench_read(void* opaque, hwaddr at, unsigned size)
{
    WiBench* b = opaque;
    return at / 8 < BENCH_REGS ? b->reg[at / 8] : 0;
}

static void bench_write(void* opaque, hwaddr at, uint64_t value, unsigned size)
{
    WiBench* b = opaque;
    if (at == BENCH_RUN) {
        bench_run(b, value);
    } else if (at / 8 < BENCH_REGS) {
        b->reg[at / 8] = value;
    }
}

static const MemoryRegionOps bench_ops = {
    .read = bench_read,
    .write = bench_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 8, .max_access_size = 8},
    .impl = {.min_access_size = 8, .max_access_size = 8},
};

static void bench_realize(PCIDevice* dev, Error** errp)
{
    WiBench* b = WINIOMMU_BENCH(dev);
    b->reg[BENCH_THREADS / 8] = 1;
    memory_region_init_io(&b->mmio, OBJECT(b), &bench_ops, b, TYPE_WINIOMMU_BENCH,
                          4 * KiB);
    pci_register_bar(dev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &b->mmio);
}

static void bench_class_init(ObjectClass* klass, WI_CLASS_DATA data)
{
    PCIDeviceClass* k = PCI_DEVICE_CLASS(klass);
    k->realize = bench_realize;
    k->vendor_id = PCI_VENDOR_ID_QEMU;
    k->device_id = 0x11f1;
    k->class_id = PCI_CLASS_OTHERS;
    DEVICE_CLASS(klass)->desc = "winiommu benchmark: times DMA and doorbells inside QEMU";
}

/* The floor: identity below 1 << 47, refusal above, with no other work. */
struct WiNull {
    DeviceState parent;
    MemoryRegion root;
    IOMMUMemoryRegion region;
    AddressSpace as;
};

#define NULL_DENY_BIT 47

static IOMMUTLBEntry null_translate(IOMMUMemoryRegion* region, hwaddr addr,
                                    IOMMUAccessFlags flag, int index)
{
    return (IOMMUTLBEntry){
        .target_as = &address_space_memory,
        .iova = addr & ~0xfffull,
        .translated_addr = addr & ~0xfffull,
        .addr_mask = 0xfff,
        .perm = addr >> NULL_DENY_BIT ? IOMMU_NONE : IOMMU_RW,
    };
}

static void null_region_class_init(ObjectClass* klass, WI_CLASS_DATA data)
{
    IOMMU_MEMORY_REGION_CLASS(klass)->translate = null_translate;
}

static AddressSpace* null_address_space(PCIBus* bus, void* opaque, int devfn)
{
    return &((WiNull*)opaque)->as;
}

static const PCIIOMMUOps null_ops = {.get_address_space = null_address_space};

static void null_realize(DeviceState* dev, Error** errp)
{
    WiNull* n = WINIOMMU_NULL(dev);
    Object* host = object_resolve_path_type("", TYPE_PCI_HOST_BRIDGE, NULL);
    if (!host) {
        error_setg(errp, "winiommu-null needs a machine with one PCI host bridge");
        return;
    }
    memory_region_init_iommu(&n->region, sizeof(n->region), TYPE_WINIOMMU_NULL_REGION,
                             OBJECT(n), "winiommu-null", UINT64_MAX);
    address_space_init(&n->as, MEMORY_REGION(&n->region), "winiommu-null");
    pci_setup_iommu(PCI_HOST_BRIDGE(host)->bus, &null_ops, n);
}

static void null_class_init(ObjectClass* klass, WI_CLASS_DATA data)
{
    DeviceClass* dc = DEVICE_CLASS(klass);
    dc->realize = null_realize;
    dc->user_creatable = true;
    dc->hotpluggable = false;
    dc->desc = "winiommu benchmark: an IOMMU that answers at once";
}

static const TypeInfo bench_types[] = {
    {
        .name = TYPE_WINIOMMU_BENCH,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(WiBench),
        .class_init = bench_class_init,
        .interfaces = (InterfaceInfo[]){{INTERFACE_CONVENTIONAL_PCI_DEVICE}, {}},
    },
    {
        .name = TYPE_WINIOMMU_NULL,
        .parent = TYPE_DEVICE,
        .instance_size = sizeof(WiNull),
        .class_init = null_class_init,
    },
    {
        .name = TYPE_WINIOMMU_NULL_REGION,
        .parent = TYPE_IOMMU_MEMORY_REGION,
        .class_init = null_region_class_init,
    },
};
DEFINE_TYPES(bench_types)
