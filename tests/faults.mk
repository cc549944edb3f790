# SPDX-License-Identifier: MIT
# Faults that a clone must survive (docs/faults.md). `make check` runs a sample of
# each of these, `make check-faults` all of it (half an hour).
fault_tests = \
	tests/test-clone-bad-disk.sh \
	tests/test-clone-failed-sync.sh \
	tests/test-clone-killed.sh \
	tests/test-clone-nomem.sh \
	tests/test-powercut-log.sh \
	tests/test-powercut-shutdown.sh \
	tests/test-store-gc-killed.sh \
	tests/test-sync-order.sh

place_tests = \
	tests/test-small-limits.sh \
	tests/test-store-nfs.sh \
	tests/test-without-calls.sh
TESTS += $(fault_tests) $(place_tests)
EXTRA_DIST += $(fault_tests) $(place_tests) \
	tests/faults/allocations.py \
	tests/faults/bootcuts.py \
	tests/faults/calllog.py \
	tests/faults/disk.py \
	tests/faults/diskmodel.py \
	tests/faults/floorcuts.py \
	tests/faults/killcalls.py \
	tests/faults/order.py \
	tests/faults/powercut.py \
	tests/faults/scenario.py \
	tests/faults/writelog.py

check_PROGRAMS += tests/faults/kill-at
tests_faults_kill_at_SOURCES = tests/faults/kill-at.c
tests_faults_kill_at_CFLAGS = $(WARN_CFLAGS)
tests_faults_kill_at_LDFLAGS =
tests_faults_kill_at_LDADD =

check_PROGRAMS += tests/faults/refuse-call
tests_faults_refuse_call_SOURCES = tests/faults/refuse-call.c
tests_faults_refuse_call_CFLAGS = $(WARN_CFLAGS)
tests_faults_refuse_call_LDFLAGS =
tests_faults_refuse_call_LDADD =

# Loaded into a program in front of the C library, or into nbdkit (write-log). No sanitizer:
# they come before its allocator.
preload_flags = -module -avoid-version -shared -rpath /nowhere
check_LTLIBRARIES += \
	tests/faults/die-after-sync.la \
	tests/faults/fail-malloc.la \
	tests/faults/nfs-locks.la \
	tests/faults/odd-clock.la \
	tests/faults/write-log.la
tests_faults_die_after_sync_la_SOURCES = tests/faults/die-after-sync.c
tests_faults_die_after_sync_la_CFLAGS = $(WARN_CFLAGS)
tests_faults_die_after_sync_la_LDFLAGS = $(preload_flags)
tests_faults_die_after_sync_la_LIBADD =
tests_faults_fail_malloc_la_SOURCES = tests/faults/fail-malloc.c
tests_faults_fail_malloc_la_CFLAGS = $(WARN_CFLAGS)
tests_faults_fail_malloc_la_LDFLAGS = $(preload_flags)
tests_faults_fail_malloc_la_LIBADD =
tests_faults_nfs_locks_la_SOURCES = tests/faults/nfs-locks.c
tests_faults_nfs_locks_la_CFLAGS = $(WARN_CFLAGS)
tests_faults_nfs_locks_la_LDFLAGS = $(preload_flags)
tests_faults_nfs_locks_la_LIBADD = -ldl
tests_faults_odd_clock_la_SOURCES = tests/faults/odd-clock.c
tests_faults_odd_clock_la_CFLAGS = $(WARN_CFLAGS)
tests_faults_odd_clock_la_LDFLAGS = $(preload_flags)
tests_faults_odd_clock_la_LIBADD =
tests_faults_write_log_la_SOURCES = tests/faults/write-log.c
tests_faults_write_log_la_CFLAGS = $(WARN_CFLAGS) $(NBDKIT_CFLAGS)
tests_faults_write_log_la_LDFLAGS = $(preload_flags)
tests_faults_write_log_la_LIBADD =

.PHONY: check-faults
check-faults:
	IHOP_FAULTS=full $(MAKE) $(AM_MAKEFLAGS) check TESTS='$(fault_tests)'
	@cd tests && grep -h '^measured: ' $(fault_tests:tests/%.sh=%.log)
