/*
 * The last answers' part of capi.h, which includes it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef IOMMU_CAPI_ANSWERS_H
#define IOMMU_CAPI_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct WiStream WiStream; /* one requester behind a device */

typedef struct WiTranslation {
    uint64_t output; /* of the input address itself */
    uint64_t mask;   /* of the block around it that maps alike: size - 1 */
    bool read, write;
} WiTranslation;

/*
 * A thread's last answers, so that the next access to a page needs no call.  Filled by
 * the core (iommu/answers.hpp), read below by the same thread; nobody else looks inside,
 * so nothing here is atomic but the epoch.
 *
 * A line holds WI_ANSWER_PIECES neighbouring blocks of one size, of one stream, of one
 * epoch.  Blocks that map to blocks in a row, all alike, are a run, as buffers tend to
 * be: the head has their answers, so that 65,536 pages are 128 KiB.  Others have pieces,
 * which lie apart.
 */
#define WI_ANSWER_LINES 4096u
#define WI_ANSWER_PIECES 16u

typedef struct WiAnswerHead {
    uint64_t epoch;     /* of the device: older answers are dead */
    uint64_t input;     /* address >> (shift + 4) << 6 | shift */
    uint64_t run;       /* what a piece of the first block would be, was it in the run */
    uint32_t stream;    /* WiStream.number; 0: nothing was kept here yet */
    uint16_t in_run[2]; /* which blocks are, bit by bit: for reads, for writes */
} WiAnswerHead;

typedef struct WiAnswers {
    WiAnswerHead head[WI_ANSWER_LINES];
    /*
     * What the block maps to, and the bits below; 0: not kept, or in the run.  Nothing
     * here is meant unless the run says WI_ANSWER_APART.
     */
    uint64_t piece[WI_ANSWER_LINES][WI_ANSWER_PIECES];
} WiAnswers;

struct WiStream {
    const uint64_t* epoch; /* of the device */
    uint32_t number;       /* never used twice in a process; UINT32_MAX: keeps nothing */
    uint32_t spread;       /* where in the lines this stream's begin */
    uint8_t shift; /* log2 of the block size its answers are kept by, at least 12 */
};

/* The calling thread's; one that is always empty until the first answer is kept. */
extern __thread WiAnswers* wi_answers;

#define WI_ANSWER_SIZE                                                                   \
    0x3fu /* log2 of the block's size; 63 for all of the address space */
#define WI_ANSWER_READ (1u << 6)
#define WI_ANSWER_WRITE (1u << 7)
#define WI_ANSWER_WAS_READ (1u << 8) /* a piece answered reads, */
#define WI_ANSWER_WRITTEN (1u << 9)  /* and next to it writes */
#define WI_ANSWER_APART (1u << 10)   /* in a run: other blocks of the line have pieces */

/* What holds the answer to the same question asked before, or 0: it must be asked again.
 */
static inline uint64_t wi_stream_recall_piece(const WiStream* stream, uint64_t address,
                                              bool write)
{
    const WiAnswers* answers = wi_answers;
    const unsigned shift = __atomic_load_n(&stream->shift, __ATOMIC_RELAXED);
    const uint64_t block = address >> shift;
    const uint64_t region = block / WI_ANSWER_PIECES;
    const unsigned index = block % WI_ANSWER_PIECES;
    const uint64_t line = (region + stream->spread) % WI_ANSWER_LINES;
    const WiAnswerHead* head = &answers->head[line];
    uint64_t piece;

    /* One by one: few values are alive at a time, so that the caller saves few registers.
     */
    if (__builtin_expect(head->input != (region << 6 | shift), 0) ||
        __builtin_expect(head->stream != stream->number, 0) ||
        __builtin_expect(head->epoch != __atomic_load_n(stream->epoch, __ATOMIC_ACQUIRE),
                         0)) {
        return 0;
    }
    if (__builtin_expect(head->in_run[write] >> index & 1, 1)) {
        return head->run + ((uint64_t)index << shift);
    }
    piece = head->run & WI_ANSWER_APART ? answers->piece[line][index] : 0;
    return piece & (uint64_t)WI_ANSWER_WAS_READ << write ? piece : 0;
}

static inline uint64_t wi_answer_mask(uint64_t piece)
{
    return UINT64_MAX >> (64 - (piece & WI_ANSWER_SIZE));
}

static inline bool wi_stream_recall(const WiStream* stream, uint64_t address, bool write,
                                    WiTranslation* out)
{
    const uint64_t piece = wi_stream_recall_piece(stream, address, write);
    uint64_t mask;

    if (piece == 0) {
        return false;
    }
    mask = wi_answer_mask(piece);
    out->output = (piece & ~mask) | (address & mask);
    out->mask = mask;
    out->read = piece & WI_ANSWER_READ;
    out->write = piece & WI_ANSWER_WRITE;
    return true;
}

#ifdef __cplusplus
}
#endif
#endif
