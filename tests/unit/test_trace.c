/* SPDX-License-Identifier: MIT */
/*
 * Writing records and printing them, on a fake processor and terminal; what is printed is read as pith-trace does.
 * LINK: hv/trace.c hv/trace_dump.c hv/lib/fmt.c tools/trace_log.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "hv/lib/log.h"
#include "hv/trace.h"
#include "tools/trace_log.h"

#define RECORDS 128u

static struct cpu cores[2];
static struct partition parts[2];
static struct vcpu vcpus[2];
static struct manifest manifest;
static u8 *memory[4];
static u32 nr_memory, posted, warnings;
static bool fail_alloc, room;
static u64 rip, rip_step;
static enum pith_status skip_status;
static enum exit_action answer;
static void (*inside)(void);
static struct timer *armed;
static char out[65536];
static size_t out_len;
static struct trace_log read_back;

u32 nr_cpus = 2, nr_partitions = 2;
struct cpu *cpu_get(u32 i) { return i < 2 ? &cores[i] : NULL; }
struct partition *partition_get(u32 i) { return i < 2 ? &parts[i] : NULL; }
struct partition *partition_find(const char *name)
{
    return strcmp(name, "one") == 0 ? &parts[0] : strcmp(name, "two") == 0 ? &parts[1] : NULL;
}
hpa_t frames_alloc(struct frame_pool *p, u64 n, u64 align)
{
    (void)p, (void)align;
    if (fail_alloc)
        return 0;
    memory[nr_memory] = aligned_alloc(PAGE_SIZE, n * PAGE_SIZE); /* the sanitizer sees what is written past it */
    return (u64)(uintptr_t)memory[nr_memory++] - HOST_DIRECT_BASE;
}
hpa_t virt_to_phys(const void *va) { return (u64)(uintptr_t)va - HOST_DIRECT_BASE; }
u64 arch_tsc(void) { return 0; }
u64 arch_tsc_khz(void) { return 1000; }
u64 arch_vcpu_reg(const struct arch_vcpu *v, enum x86_reg reg) { (void)v; assert_int_equal(reg, X86_RIP); return rip; }
enum pith_status arch_vcpu_skip(struct arch_vcpu *v, const struct vm_exit *e) { (void)v, (void)e; rip += rip_step; return skip_status; }
enum exit_action exit_handle(struct arch_vcpu *v, struct vm_exit *e)
{
    (void)e;
    if (inside)
        inside();
    v->gpr.rax = 0x1111111122222222;
    v->gpr.rdx = 0x3333333344444444;
    return answer;
}
void vcpu_post(struct vcpu *v, u64 what) { (void)v, (void)what; posted++; }
void timer_init(struct timer *t, void (*fn)(struct timer *)) { t->expired = fn; }
void timer_set(struct timer_queue *q, struct timer *t, u64 at) { (void)q, (void)at; armed = t; }
bool terminal_has_room(const struct terminal_account *a) { (void)a; return room; }
void console_write(struct console_source *s, const char *text, size_t len)
{
    assert_string_equal(s->name, "monitor");
    for (size_t i = 0; i < len; i++) {
        if (out_len == 0 || out[out_len - 1] == '\n')
            out_len += (size_t)sprintf(out + out_len, "[monitor] ");
        out[out_len++] = text[i];
    }
    out[out_len] = 0;
}
void log_line(enum log_level level, const char *fmt, ...) { (void)fmt; warnings += level == LOG_WARN; }

static int set_up(void **state)
{
    (void)state;
    for (u32 i = 0; i < 2; i++) {
        cores[i] = (struct cpu){ .self = &cores[i], .index = i };
        parts[i] = (struct partition){ .name = i ? "two" : "one", .index = i, .nr_vcpus = 1, .vcpus = { &vcpus[i] } };
        memset(&vcpus[i], 0, sizeof(vcpus[i]));
        vcpus[i].part = &parts[i];
        vcpus[i].home = &cores[0];
    }
    syscall(SYS_arch_prctl, ARCH_SET_GS, &cores[0]);
    manifest.trace = RECORDS * sizeof(struct pith_trace) | MANIFEST_TRACE_RIP;
    nr_memory = posted = warnings = 0;
    fail_alloc = false;
    room = true;
    rip = 0x1000;
    rip_step = 2;
    skip_status = PITH_OK;
    answer = EXIT_SKIP;
    inside = NULL;
    armed = NULL;
    out_len = 0;
    trace_init(&manifest, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (u32 i = 0; i < nr_memory; i++)
        free(memory[i]);
    trace_free(&read_back);
    return 0;
}

static void say(const char *verb, const char *name)
{
    trace_command(verb, name);
    for (u32 i = 0; armed && i < 10000; i++) {
        struct timer *t = armed;

        armed = NULL;
        t->expired(t);
    }
}

/* What a dump says, as pith-trace sees it. */
static void dump(const char *name)
{
    out_len = 0;
    say("dump", name);
    trace_free(&read_back);
    if (!trace_add(&read_back, out, out_len))
        fail_msg("line %u: %s", read_back.error_line, read_back.error);
}

static void one_exit(u32 i, struct vm_exit e)
{
    vm_exit_fn *handle = trace_begin(&vcpus[i]);

    vcpus[i].arch.gpr = (struct x86_gprs){ .rax = 0xaaaaaaaabbbbbbbb, .rcx = 0xccccccccdddddddd, .rbx = 7 };
    (void)handle(&vcpus[i].arch, &e);
}

static void last_is(u8 kind, const char *want)
{
    const struct pith_trace *t;
    char have[120];

    dump("");
    assert_true(read_back.nr > 0);
    t = &read_back.entries[read_back.nr - 1].t;
    assert_int_equal(t->kind, kind);
    trace_details(t, have, sizeof(have));
    assert_string_equal(have, want);
}

static void exits_say_what_they_were(void **state)
{
    (void)state;
    one_exit(1, (struct vm_exit){ .kind = VM_EXIT_CPUID });
    last_is(PITH_TRACE_CPUID, "leaf=bbbbbbbb sub=dddddddd");
    assert_int_equal(read_back.entries[0].t.kind, PITH_TRACE_SCHED_IN);
    assert_int_equal(read_back.entries[1].t.rip, 0x1000);
    assert_int_equal(read_back.entries[1].t.len, 2);
    assert_int_equal(read_back.entries[1].t.source, 0x10);
    one_exit(1, (struct vm_exit){ .kind = VM_EXIT_MSR, .msr = { .index = 0x1b } });
    last_is(PITH_TRACE_MSR, "read msr=1b value=4444444422222222");
    one_exit(1, (struct vm_exit){ .kind = VM_EXIT_MSR, .msr = { .index = 0x1b, .write = true } });
    last_is(PITH_TRACE_MSR, "write msr=1b value=4444444422222222");
    one_exit(1, (struct vm_exit){ .kind = VM_EXIT_PIO, .pio = { .port = 0x3f8, .size = 2, .in = true } });
    last_is(PITH_TRACE_PIO, "read port=3f8 size=2 value=2222");
    one_exit(1, (struct vm_exit){ .kind = VM_EXIT_PIO, .pio = { .port = 0x80, .size = 4, .string = true, .rep = true } });
    last_is(PITH_TRACE_PIO, "write string rep port=80 size=4 value=0");
    one_exit(1, (struct vm_exit){ .kind = VM_EXIT_S2_FAULT, .s2 = { .gpa = 0xfee00020, .write = true, .mapped = true } });
    last_is(PITH_TRACE_S2_FAULT, "write mapped gpa=fee00020");
    one_exit(1, (struct vm_exit){ .kind = VM_EXIT_HYPERCALL });
    last_is(PITH_TRACE_HYPERCALL, "call=none eax=bbbbbbbb first=7 status=572662306");
    one_exit(1, (struct vm_exit){ .kind = VM_EXIT_INSN, .insn = { .which = X86_INSN_RSM } });
    last_is(PITH_TRACE_INSN, "which=5");
    one_exit(1, (struct vm_exit){ .kind = VM_EXIT_EXCEPTION, .exception = { .vector = 17, .has_error = true, .error = 4 } });
    last_is(PITH_TRACE_EXCEPTION, "vector=17 error=4 info=0");
    one_exit(1, (struct vm_exit){ .kind = VM_EXIT_CR, .cr = { .cr = 4, .gpr = 3, .write = true } });
    last_is(PITH_TRACE_CR, "write number=4 gpr=3");
    one_exit(1, (struct vm_exit){ .kind = VM_EXIT_OTHER, .hw_reason = 9, .failed = { .detail = 5 } });
    last_is(PITH_TRACE_OTHER, "reason=9 detail=5");
}

static enum exit_action halt(void)
{
    struct vm_exit e = { .kind = VM_EXIT_HLT };
    vm_exit_fn *handle = trace_begin(&vcpus[0]);

    return handle(&vcpus[0].arch, &e);
}

static u8 last_len(void)
{
    dump("");
    return read_back.entries[read_back.nr - 1].t.len;
}

static void the_way_past_an_instruction(void **state)
{
    (void)state;
    assert_int_equal(halt(), EXIT_RESUME);
    assert_int_equal(last_len(), 2);
    rip_step = 0x100;
    assert_int_equal(halt(), EXIT_RESUME);
    assert_int_equal(last_len(), 255);
    skip_status = PITH_E_STATE;
    rip_step = 0;
    assert_int_equal(halt(), EXIT_FAIL);
    assert_non_null(vcpus[0].why);
    answer = EXIT_RESUME;
    assert_int_equal(halt(), EXIT_RESUME);
    assert_int_equal(last_len(), 0);
    manifest.trace &= ~MANIFEST_TRACE_RIP;
    trace_init(&manifest, NULL);
    answer = EXIT_SKIP;
    assert_int_equal(halt(), EXIT_SKIP); /* left to others */
    dump("");
    assert_int_equal(read_back.entries[read_back.nr - 1].t.rip, 0);
}

static void stop_inside(void)
{
    trace_event(&parts[0], 0, PITH_TRACE_STOP, END_EXIT, 3);
}

static void an_event_inside_an_exit(void **state)
{
    (void)state;
    inside = stop_inside;
    one_exit(0, (struct vm_exit){ .kind = VM_EXIT_HYPERCALL });
    dump("");
    assert_int_equal(read_back.nr, 3);
    assert_int_equal(read_back.entries[1].t.kind, PITH_TRACE_HYPERCALL);
    assert_int_equal(read_back.entries[2].t.kind, PITH_TRACE_STOP);
    assert_int_equal(read_back.entries[2].t.value, 3);
}

/* Somebody else prints while this core is in the middle of an exit: that record is not there yet. */
static void dump_inside(void)
{
    inside = NULL;
    dump("");
    assert_int_equal(read_back.nr, 1);
    assert_int_equal(read_back.dropped, 1);
}

static void a_record_that_is_being_written(void **state)
{
    (void)state;
    inside = dump_inside;
    one_exit(0, (struct vm_exit){ .kind = VM_EXIT_CPUID });
    assert_null(inside);
    dump("");
    assert_int_equal(read_back.nr, 2);
}

static void the_oldest_go(void **state)
{
    (void)state;
    for (u64 i = 0; i < RECORDS + 5; i++)
        trace_event(&parts[0], 0, PITH_TRACE_RESTART, 0, i);
    dump("");
    assert_int_equal(read_back.nr, RECORDS);
    assert_int_equal(read_back.dropped, 5);
    assert_int_equal(read_back.entries[0].t.value, 5);
    say("clear", "");
    trace_event(&parts[0], 0, PITH_TRACE_START, 0, 0);
    dump("");
    assert_int_equal(read_back.nr, 1);
    assert_int_equal(read_back.dropped, 0);
}

/* While it is printed, more is written: what was overwritten before its turn came is counted. */
static void printing_beside_writing(void **state)
{
    (void)state;
    for (u64 i = 0; i < RECORDS; i++)
        trace_event(&parts[0], 0, PITH_TRACE_RESTART, 0, i);
    out_len = 0;
    trace_command("dump", "");
    assert_non_null(armed);
    for (u64 i = 0; i < 50; i++)
        trace_event(&parts[0], 0, PITH_TRACE_RESTART, 0, 1000 + i);
    while (armed) {
        struct timer *t = armed;

        armed = NULL;
        t->expired(t);
    }
    assert_true(trace_add(&read_back, out, out_len));
    assert_int_equal(read_back.nr + read_back.dropped, RECORDS);
    assert_in_range(read_back.dropped, 40, 50);
    for (u32 i = 0; i < read_back.nr; i++)
        assert_in_range(read_back.entries[i].t.value, 0, RECORDS - 1);
}

static void the_terminal_takes_its_time(void **state)
{
    (void)state;
    trace_event(&parts[0], 0, PITH_TRACE_START, 0, 0);
    room = false;
    out_len = 0;
    trace_command("dump", "");
    assert_int_equal(out_len, 0);
    assert_non_null(armed);
    trace_command("dump", "");
    assert_non_null(strstr(out, "a dump is being printed"));
    room = true;
    out_len = 0;
    armed->expired(armed);
    assert_non_null(strstr(out, "trace end 1 records, 0 dropped\n"));
}

static void one_partition_alone(void **state)
{
    (void)state;
    trace_event(&parts[0], 0, PITH_TRACE_START, 0, 0);
    trace_event(&parts[1], 0, PITH_TRACE_START, 0, 0);
    dump("two");
    assert_int_equal(read_back.nr, 1);
    assert_int_equal(read_back.entries[0].t.source, 0x10);
    say("off", "two");
    assert_int_equal(posted, 1);
    trace_event(&parts[1], 0, PITH_TRACE_STOP, 0, 0);
    assert_ptr_equal(trace_begin(&vcpus[1]), exit_handle);
    assert_ptr_not_equal(trace_begin(&vcpus[0]), exit_handle);
    dump("");
    assert_int_equal(read_back.nr, 3);
    say("off", "");
    assert_ptr_equal(trace_begin(&vcpus[0]), exit_handle);
    say("on", "");
    assert_ptr_not_equal(trace_begin(&vcpus[1]), exit_handle);
}

static void without_rings(void **state)
{
    (void)state;
    for (u32 i = 0; i < 2; i++)
        cores[i].trace = NULL;
    fail_alloc = true;
    trace_init(&manifest, NULL);
    assert_int_equal(warnings, 1);
    trace_event(&parts[0], 0, PITH_TRACE_START, 0, 0);
    assert_ptr_equal(trace_begin(&vcpus[0]), exit_handle);
    out_len = 0;
    say("dump", "");
    assert_non_null(strstr(out, "trace = yes"));
    manifest.trace = 0;
    assert_int_equal(trace_frames(&manifest, 4), 0);
    manifest.trace = 4096;
    assert_int_equal(trace_frames(&manifest, 4), 8); /* a page more each, for its head */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exits_say_what_they_were), TEST(the_way_past_an_instruction), TEST(an_event_inside_an_exit),
        TEST(a_record_that_is_being_written), TEST(the_oldest_go), TEST(printing_beside_writing),
        TEST(the_terminal_takes_its_time), TEST(one_partition_alone), TEST(without_rings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
