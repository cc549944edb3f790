# SPDX-License-Identifier: MIT
# bench-limit is built with everything else, so that a change cannot break it unnoticed.
noinst_PROGRAMS = bench-limit
bench_limit_SOURCES = bench/limit.c
bench_limit_LDADD = libcodec.la

EXTRA_DIST += \
	bench/clone.py \
	bench/compress.py \
	bench/delay-relay.py \
	bench/fleet.py \
	bench/image-options.py \
	bench/make-images.sh \
	bench/peers.py \
	bench/real-images.sh \
	bench/scale.py \
	bench/serve.py \
	bench/slow-line.sh \
	bench/store-size.py \
	bench/traffic.py
