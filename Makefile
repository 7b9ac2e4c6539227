# SPDX-License-Identifier: MIT
# Pith: `make` builds build/BOOTX64.EFI and build/pith.img, `make run` boots them, `make test` tests them. `make help` lists all.

BUILD ?= build
V ?= 0
DEBUG ?= 1
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
Q := $(if $(filter 0,$(V)),@,)
say = $(if $(filter 0,$(V)),@printf '  %-6s %s\n' $(1) $(2),@:)

all: $(BUILD)/BOOTX64.EFI $(BUILD)/pith.img $(BUILD)/pith.elf $(BUILD)/tools/pith-check $(BUILD)/tools/pith-trace

help:
	@echo 'make              $(BUILD)/BOOTX64.EFI, and $(BUILD)/pith.img to write to a USB stick'
	@echo 'make run          boot it in an emulator: MACHINE=qemu-amd|bochs-intel|bochs-amd CONFIG=FILE ARGS="..."'
	@echo 'make check        tests that need no emulator      make test      these and the boot tests'
	@echo 'make test-all     the whole matrix                 make coverage  build/coverage/html'
	@echo 'make fuzz         random input to parsers, decoder and devices, some minutes; make check does a little of it'
	@echo 'make bench        instructions that exits, the start and Linux cost, against the budgets, beside KVM and Xen'
	@echo 'make bench-sched  how a core is shared: shares, deadlines, delays, against budgets, and pictures, build/bench/*.svg'
	@echo 'make usb          the lines that write $(BUILD)/pith.img to a USB stick; writes nothing itself'
	@echo 'make sign         $(SIGNED)/BOOTX64.EFI and pith.img, for Secure Boot: KEY=FILE CERT=FILE'
	@echo 'make format       clang-format over all sources    make setup     install the packages all this needs'
	@echo 'make clean        remove what was built; make distclean also removes the unpacked Linux kernel'
	@echo 'Variables: CC=gcc|clang  V=1 shows commands  KERNEL=FILE INITRD=FILE  BUILD=DIR  DEBUG=0 leaves the trace out, 2 spoils registers after calls'

# --- set-up: an included makefile is remade before anything else, so every goal but these finds its packages installed
NO_SETUP := help clean distclean setup
ifneq ($(or $(if $(MAKECMDGOALS),,all),$(filter-out $(NO_SETUP),$(MAKECMDGOALS))),)
include build/setup.mk
endif

build/setup.mk: tools/setup
	@tools/setup
	@mkdir -p build && echo '# tools/setup found every package installed' >$@

setup:
	@tools/setup

# --- flags
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Werror
FREE := -std=gnu11 -O2 -g -ffreestanding -fno-stack-protector -fno-strict-aliasing -fno-asynchronous-unwind-tables \
        -fcf-protection=none -mno-red-zone -mgeneral-regs-only -I. -I$(BUILD) -ffile-prefix-map=$(CURDIR)=. -MMD -MP
GUEST := $(FREE) $(WARN) -fvisibility=hidden -mcmodel=small -fno-omit-frame-pointer -fno-pie
HV := $(FREE) $(WARN) -fvisibility=hidden -mcmodel=small -fno-omit-frame-pointer -fpie -DDEBUG=$(DEBUG)
LOADER := $(FREE) $(WARN) -fpic -fshort-wchar -DGNU_EFI_USE_MS_ABI $(if $(filter gcc%,$(notdir $(CC))),-maccumulate-outgoing-args) \
          -isystem /usr/include/efi -isystem /usr/include/efi/x86_64
HOSTED := -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -Itests/unit/fake -I. -Wall -Wextra -Werror -MMD -MP $(UNIT_EXTRA)
LINK := ld -nostdlib -static -z noexecstack -z max-page-size=4096 --build-id=none

# A file for each choice that no source file shows; it is only written when the choice changes.
remember = @mkdir -p $(@D) && { echo '$(1)' | cmp -s - $@ || echo '$(1)' >$@; }
SETTINGS := $(BUILD)/settings
$(SETTINGS): FORCE
	$(call remember,$(CC) $(DEBUG) $(HV_EXTRA) $(UNIT_EXTRA))

# --- the hypervisor
HV_SRC := $(sort $(foreach d,hv hv/lib hv/vdev arch/x86 arch/x86/vmx arch/x86/svm drivers,$(wildcard $(d)/*.c $(d)/*.S)))
# A choice is another file: without DEBUG there is no trace.
HV_SRC := $(filter-out $(if $(filter 0,$(DEBUG)),hv/trace.c hv/trace_dump.c,hv/trace_none.c),$(HV_SRC))
# What every call between partitions runs through: no frames there. RBP stays what it is; reports of a panic miss these functions' callers.
HOT := $(addprefix arch/x86/,fpu irq vm svm/svm_events svm/svm_vcpu vmx/vmx_events vmx/vmx_run vmx/vmx_vcpu) drivers/lapic \
       $(addprefix hv/,call_event call_ipc cpu exit hypercall irq policy sched trace vcpu vcpu_irq vdev/vlapic)
$(HOT:%=$(BUILD)/obj/hv/%.c.o): HV += $(if $(filter gcc%,$(notdir $(CC))),-fomit-frame-pointer -ffixed-rbp)
HV_OBJ := $(HV_SRC:%=$(BUILD)/obj/hv/%.o)

$(BUILD)/obj/hv/%.c.o: %.c $(SETTINGS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV) $(HV_EXTRA) -c $< -o $@

$(BUILD)/obj/hv/%.S.o: %.S
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -g -I. -I$(BUILD) -ffile-prefix-map=$(CURDIR)=. -MMD -MP -c $< -o $@

$(BUILD)/sources: FORCE
	$(call remember,$(HV_SRC))

$(BUILD)/pith.elf: linker.ld $(HV_OBJ) $(filter %.o,$(HV_LIBS)) $(BUILD)/sources
	$(call say,LD,$@)
	$(Q)$(LINK) --build-id=sha1 --no-relax -T linker.ld $(HV_OBJ) $(HV_LIBS) -o $@

# --- the loader: a UEFI application that carries the hypervisor, without its debug information, inside itself
# What a configuration needs beside boot/config*.c: the check of the result, and text formatting.
CONFIG_LIB := boot/sha256.c boot/measure.c boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
IMAGE_SRC := boot/plans.c $(wildcard boot/image/*.c boot/image/*.S)
LOADER_SRC := $(sort $(wildcard boot/*.c boot/*.S) $(IMAGE_SRC) $(CONFIG_LIB) hv/lib/string.c drivers/lapic.c drivers/pci.c drivers/uart16550.c)
LOADER_OBJ := $(LOADER_SRC:%=$(BUILD)/obj/loader/%.o)

$(BUILD)/obj/loader/%.c.o: %.c $(SETTINGS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LOADER) -c $< -o $@

$(BUILD)/obj/loader/%.S.o: %.S
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -g -I. -Wa,-I$(BUILD) -ffile-prefix-map=$(CURDIR)=. -MMD -MP -c $< -o $@

$(BUILD)/payload.elf: $(BUILD)/pith.elf
	$(Q)objcopy --strip-all $< $@

$(BUILD)/obj/loader/boot/payload.S.o: $(BUILD)/payload.elf

define link_efi
	$(call say,LD,$@)
	$(Q)ld -nostdlib -znocombreloc -z noexecstack -T /usr/lib/elf_x86_64_efi.lds -shared -Bsymbolic --no-undefined --build-id=none $(WRAP:%=--wrap=%) \
		/usr/lib/crt0-efi-x86_64.o $(filter %.o,$^) -o $@.so -L/usr/lib -lefi -lgnuefi
	$(Q)objcopy $(patsubst %,-j %,.text .sdata .rodata .data .dynamic .dynsym .rel .rela .rel.* .rela.* .reloc) \
		--target efi-app-x86_64 $@.so $@
endef
$(BUILD)/BOOTX64.EFI: $(LOADER_OBJ)
	$(link_efi)

# Only for tests: ACPI tables where the firmware has none.
$(BUILD)/acpishim.efi: $(BUILD)/obj/loader/tests/boot/acpishim/acpishim.c.o
	$(link_efi)

$(BUILD)/stopped.efi: WRAP := clock_measure
$(BUILD)/stopped.efi: $(LOADER_OBJ) $(BUILD)/obj/loader/tests/boot/early/stopped.c.o
	$(link_efi)

# Only for tests: shows what a TPM has of the loader.
$(BUILD)/tpmshim.efi: $(BUILD)/obj/loader/tests/boot/tpmshim/tpmshim.c.o
	$(link_efi)

# Only for tests: firmware that is strange in ways which nobody can order
$(BUILD)/shim.efi: $(patsubst %,$(BUILD)/obj/loader/%.o,$(wildcard tests/boot/shim/*.c tests/boot/shim/*.S))
	$(link_efi)

# --- guests: guests/NAME.c, guests/NAME/*.c and tests/guest/NAME.c become ELF files, each with guests/lib linked in
GUEST_DIRS := $(filter-out guests/lib guests/demo guests/linux guests/lab,$(patsubst %/,%,$(wildcard guests/*/)))
GUEST_DIRS := $(foreach d,$(GUEST_DIRS),$(if $(wildcard $(d)/*.c),$(d)))
GUEST_ELFS := $(patsubst guests/%.c,$(BUILD)/guests/%.elf,$(wildcard guests/*.c)) $(GUEST_DIRS:guests/%=$(BUILD)/guests/%.elf)
TEST_ELFS := $(patsubst tests/guest/%.c,$(BUILD)/tests/%.elf,$(wildcard tests/guest/*.c))
TEST_KERNELS := $(patsubst tests/guest/%.S,$(BUILD)/tests/%.elf,$(wildcard tests/guest/*.S)) # multiboot, nothing linked in
GUEST_LIB := $(patsubst %,$(BUILD)/obj/guest/%.o,$(sort $(wildcard guests/lib/*.c guests/lib/*.S)))

$(BUILD)/obj/guest/%.c.o: %.c $(SETTINGS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST) -c $< -o $@

$(BUILD)/obj/guest/%.S.o: %.S
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -g -I. -ffile-prefix-map=$(CURDIR)=. -MMD -MP -c $< -o $@

define link_guest
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -T guests/lib/guest.ld $(filter %.o,$^) -o $@
endef
$(filter-out $(GUEST_DIRS:guests/%=$(BUILD)/guests/%.elf),$(GUEST_ELFS)): $(BUILD)/guests/%.elf: $(BUILD)/obj/guest/guests/%.c.o
	$(link_guest)
$(TEST_ELFS): $(BUILD)/tests/%.elf: $(BUILD)/obj/guest/tests/guest/%.c.o
	$(link_guest)
$(foreach d,$(GUEST_DIRS),$(eval $(BUILD)/$(d).elf: $(patsubst %,$(BUILD)/obj/guest/%.o,$(wildcard $(d)/*.c $(d)/*.S)); $$(link_guest)))
$(GUEST_ELFS) $(TEST_ELFS): guests/lib/guest.ld $(GUEST_LIB)

$(TEST_KERNELS): $(BUILD)/tests/%.elf: $(BUILD)/obj/guest/tests/guest/%.S.o tests/guest/low.ld
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) --no-warn-rwx-segments -T tests/guest/low.ld $< -o $@.64
	$(Q)objcopy -O elf32-i386 $@.64 $@

TEST_BZIMAGES := $(patsubst tests/guest/real/%.S,$(BUILD)/tests/%.bin,$(wildcard tests/guest/real/*.S))
$(TEST_BZIMAGES): $(BUILD)/tests/%.bin: $(BUILD)/obj/guest/tests/guest/real/%.S.o tests/guest/real/real.ld
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) --no-warn-rwx-segments -T tests/guest/real/real.ld $< -o $@.elf
	$(Q)objcopy -O binary $@.elf $@

guests: $(GUEST_ELFS) $(TEST_ELFS) $(TEST_KERNELS) $(TEST_BZIMAGES)

# --- Debian's kernel, unpacked and not installed, and an initramfs of busybox and one script
LINUX := build/linux
$(LINUX)/vmlinuz: tools/get-linux
	$(call say,GET,$@)
	$(Q)tools/get-linux kernel $@

$(LINUX)/busybox: tools/get-linux
	$(call say,GET,$@)
	$(Q)tools/get-linux busybox $@

$(LINUX)/initrd.img: guests/linux/init $(LINUX)/busybox tools/make-initrd $(LINUX)/vmlinuz
	$(call say,CPIO,$@)
	$(Q)tools/make-initrd $@ guests/linux/init $(LINUX)/busybox $(LINUX)/vmlinuz.modules

# --- other kernels of Debian's, for tests
KERNELS := $(addprefix $(LINUX)/,gnumach.elf memtest.bin ipxe.lkrn)
AMD64 := $(LINUX)/amd64.vmlinuz
I386 := $(addprefix $(LINUX)/,i386-pae.vmlinuz i386.vmlinuz)
MANAGERS := $(addprefix $(LINUX)/,systemd-bootx64.efi grubx64.efi)
$(KERNELS) $(AMD64) $(I386) $(LINUX)/i386-busybox $(MANAGERS): tools/get-linux
	$(call say,GET,$@)
	$(Q)tools/get-linux $(basename $(@F)) $@

$(LINUX)/i386-initrd.img: guests/linux/init $(LINUX)/i386-busybox tools/make-initrd
	$(call say,CPIO,$@)
	$(Q)tools/make-initrd $@ guests/linux/init $(LINUX)/i386-busybox

# Linux as it would be without its 64-bit entry: xloadflags are at 0x236
REAL_MODE := $(LINUX)/vmlinuz.real
$(REAL_MODE): $(LINUX)/vmlinuz
	$(Q)cp $< $@ && printf '\0' | dd of=$@ bs=1 seek=566 conv=notrunc status=none

# --- the disk image: what a USB stick needs. KERNEL=FILE and INITRD=FILE take the place of Debian's.
VOLUME := EFI/BOOT/BOOTX64.EFI=$(BUILD)/BOOTX64.EFI pith.conf=guests/demo/pith.conf hello.elf=$(BUILD)/guests/hello.elf \
          clock.elf=$(BUILD)/guests/clock.elf vmlinuz=$(or $(KERNEL),$(LINUX)/vmlinuz) initrd.img=$(or $(INITRD),$(LINUX)/initrd.img)
$(BUILD)/volume: FORCE
	$(call remember,$(VOLUME))

$(BUILD)/pith.img: $(foreach f,$(VOLUME),$(lastword $(subst =, ,$(f)))) tools/make-image $(BUILD)/volume
	$(call say,IMAGE,$@)
	$(Q)tools/make-image $@ $(VOLUME)

# --- Secure Boot: the loader signed with the owner's key, by itself and on a disk image; elsewhere for tests, with the key that Debian publishes
SIGNED := $(BUILD)/signed
sign: $(BUILD)/BOOTX64.EFI $(BUILD)/pith.img
	@test -f "$(KEY)" -a -f "$(CERT)" || { echo 'make sign KEY=FILE CERT=FILE: a private key and its certificate, both PEM; see boot/README.md'; exit 2; }
	$(call say,SIGN,$(SIGNED)/BOOTX64.EFI)
	@mkdir -p $(SIGNED)
	$(Q)said=$$(sbsign --key $(KEY) --cert $(CERT) --output $(SIGNED)/BOOTX64.EFI $< 2>&1) || { echo "$$said"; exit 1; }
	$(Q)sbverify --cert $(CERT) $(SIGNED)/BOOTX64.EFI >/dev/null 2>&1 || { echo '$(CERT) does not belong to $(KEY)'; rm $(SIGNED)/BOOTX64.EFI; exit 1; }
	$(call say,IMAGE,$(SIGNED)/pith.img)
	$(Q)tools/make-image $(SIGNED)/pith.img $(patsubst %=$(BUILD)/BOOTX64.EFI,%=$(SIGNED)/BOOTX64.EFI,$(VOLUME))

SNAKEOIL := /usr/share/ovmf/PkKek-1-snakeoil
$(BUILD)/snakeoil/BOOTX64.EFI: $(BUILD)/BOOTX64.EFI $(BUILD)/pith.img
	@mkdir -p $(@D)
	$(Q)openssl rsa -in $(SNAKEOIL).key -passin pass:snakeoil -out $(@D)/key.pem 2>/dev/null
	+$(Q)$(MAKE) --no-print-directory sign KEY=$(@D)/key.pem CERT=$(SNAKEOIL).pem SIGNED=$(@D)

# Writes nothing
usb: $(BUILD)/pith.img
	@python3 tools/stick.py $<

# --- host programs, unit tests and fuzzers; a test names the sources it links in its ` * LINK:` line
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))

$(BUILD)/obj/host/%.o: %.c $(SETTINGS)
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOSTED) -c $< -o $@

$(BUILD)/obj/host/%.S.o: %.S
	$(call say,HOSTAS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -g -I. -MMD -MP -c $< -o $@

$(BUILD)/links.mk: $(wildcard tests/unit/test_*.c tests/fuzz/*.c)
	@mkdir -p $(@D)
	@for t in $^; do \
		links=$$(sed -n 's/^ \* LINK://p' $$t | tr '\n' ' '); \
		t1=$${t#tests/}; echo "$(BUILD)/$${t1%.c}: $$(for s in $$t $$links; do printf '$(BUILD)/obj/host/%s.o ' $${s%.c}; done)"; \
	done >$@
ifneq ($(filter unit fuzzers $(BUILD)/unit/% $(BUILD)/fuzz/%,$(MAKECMDGOALS)),)
include $(BUILD)/links.mk
endif

$(UNIT_TESTS): HOST_LIBS := -lcmocka
$(BUILD)/unit/test_qr: HOST_LIBS += -lqrencode
$(BUILD)/fuzz/decode_diff: HOST_LIBS := -lcapstone
$(UNIT_TESTS) $(FUZZERS):
	$(call say,HOSTLD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOSTED) $^ $(HOST_LIBS) -o $@

unit: $(UNIT_TESTS)
fuzzers: $(FUZZERS)

PITH_CHECK_SRC := tools/pith-check.c tools/this_machine.c boot/cpu_verdict.c $(wildcard boot/config*.c) $(IMAGE_SRC) $(CONFIG_LIB)
$(BUILD)/tools/pith-check: $(patsubst %,$(BUILD)/obj/host/%.o,$(PITH_CHECK_SRC:%.c=%))
	$(call say,HOSTLD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOSTED) $^ -o $@

$(BUILD)/tools/pith-trace: $(BUILD)/obj/host/tools/pith-trace.o $(BUILD)/obj/host/tools/trace_log.o
	$(call say,HOSTLD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOSTED) $^ -o $@

# What the hypervisor does at a panic, for tests/panic/check.py
$(BUILD)/panic/encode: $(patsubst %,$(BUILD)/obj/host/%.o,tests/panic/encode hv/lib/pack hv/lib/qr)
	$(call say,HOSTLD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOSTED) $^ -o $@

# --- what people type
MACHINE ?= qemu-amd
CONFIG ?= guests/demo/pith.conf
run: all guests
	tools/pith-run --machine $(MACHINE) --config $(CONFIG) $(if $(KERNEL),--file vmlinuz=$(KERNEL)) \
		$(if $(INITRD),--file initrd.img=$(INITRD)) $(ARGS)

check:
	@tools/check $(CHECK)

# Ten million hypercalls on each vendor behind the fuzzers that need no emulator; FUZZ=NAME: only those of that name
fuzz: all guests
	@tools/check --fuzz $(FUZZ)
	@$(if $(FUZZ),,tests/boot/run.py callfuzz-qemu-amd-5000000 callfuzz-bochs-intel-5000000)

test: all guests $(KERNELS) $(BUILD)/tpmshim.efi $(BUILD)/shim.efi
	@tests/boot/run.py --with-check test

# The Linux that is measured: one static program is all of its user space. Without sanitizers, which would be measured too.
$(BUILD)/bench/init: tests/bench/work.c $(SETTINGS)
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -static $< -o $@

$(BUILD)/bench/initrd.img: $(BUILD)/bench/init tools/make-initrd
	$(call say,CPIO,$@)
	$(Q)tools/make-initrd $@ $<

bench: all guests $(BUILD)/bench/initrd.img
	@tests/bench/run.py

bench-sched: all guests
	@tests/bench/sched.py

EARLY := $(BUILD)/early
MORE_KERNELS := $(REAL_MODE) $(AMD64) $(I386) $(LINUX)/i386-initrd.img $(MANAGERS)
TEST_LOADERS := $(addprefix $(BUILD)/,acpishim.efi tpmshim.efi shim.efi snakeoil/BOOTX64.EFI stopped.efi) $(EARLY)/BOOTX64.EFI
test-all: all guests $(KERNELS) $(MORE_KERNELS) $(TEST_LOADERS)
	@tests/boot/run.py --with-check all

# Everything once more, with gcc's counters, in a directory of its own; stream.c, which brings them out, is not counted.
COVERAGE := $(BUILD)/coverage
COUNT := --coverage -fprofile-update=atomic -Og
coverage: all guests
	+$(Q)$(MAKE) --no-print-directory CC=gcc BUILD=$(COVERAGE) UNIT_EXTRA='$(COUNT) -fno-sanitize=all' HV_EXTRA='$(COUNT) -fprofile-info-section' \
		HV_LIBS='--wrap=firmware_call $(COVERAGE)/obj/stream.o '$$(gcc -print-file-name=libgcov.a) unit $(COVERAGE)/BOOTX64.EFI
	@tests/coverage/run.py $(COVERAGE)

# A second build for one test: see tests/trace/README.md
wrong-length: guests
	+$(Q)$(MAKE) --no-print-directory BUILD=build/wrong HV_LIBS='--wrap=vmx_left build/wrong/obj/wrong_length.o' \
		build/wrong/BOOTX64.EFI build/wrong/tools/pith-trace guests

$(BUILD)/obj/wrong_length.o: tests/trace/wrong_length.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV) -c $< -o $@

# Another, which does not come far
$(EARLY)/BOOTX64.EFI: FORCE
	+$(Q)$(MAKE) --no-print-directory BUILD=$(EARLY) HV_LIBS='--wrap=arch_host_init $(EARLY)/obj/early.o' $@

$(BUILD)/obj/early.o: tests/boot/early/early.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV) -c $< -o $@

$(BUILD)/obj/stream.o: tests/coverage/stream.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV) -c $< -o $@

format:
	@tools/format

clean:
	rm -rf $(filter-out build/linux,$(wildcard build/*)) $(filter-out build,$(BUILD))

distclean: clean
	rm -rf build

FORCE:
.PHONY: all help setup guests sign usb wrong-length unit fuzzers run check fuzz test test-all bench bench-sched coverage format clean distclean FORCE
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
