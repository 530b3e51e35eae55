# rapidbyte: plain, non-recursive GNU make. The parts are in mk/; sources are found by wildcard, so
# adding a file to a folder is enough. `make help` lists the targets.

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.SUFFIXES:
# Objects are kept.
.SECONDARY:
MAKEFLAGS += --no-builtin-rules --no-print-directory
# All cores, unless the command line says how many.
ifeq ($(filter -j% j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
SHELL := /bin/sh

include mk/toolchain.mk
include mk/warnings.mk
include mk/deps.mk
include mk/variants.mk
include mk/host.mk
include mk/guests.mk
include mk/bench.mk
include mk/tests.mk
include mk/fuzz.mk
include mk/faults.mk
include mk/checks.mk

.PHONY: build demo install clean help

## build: the binary (build/rapidbyte), the connectors and what the worker needs (default)
build: build-host build-connectors

## demo: move real tables between two schemas of a throwaway PostgreSQL and show the result
demo: build
	@tools/demo

## install: into DESTDIR and PREFIX (default /usr/local): bin, lib/rapidbyte, share/doc/rapidbyte
install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/rapidbyte/connectors \
	    $(DESTDIR)$(PREFIX)/share/doc/rapidbyte
	install -m 755 build/rapidbyte $(DESTDIR)$(PREFIX)/bin/rapidbyte
	if [ -s build/lib/libLLVM-stub.so ]; then \
	    install -m 644 build/lib/libLLVM-stub.so $(DESTDIR)$(PREFIX)/lib/rapidbyte/; fi
	install -m 644 $(CONNECTOR_FILES) $(DESTDIR)$(PREFIX)/lib/rapidbyte/connectors/
	install -m 644 LICENSE CHANGELOG.md $(wildcard README.md docs/*.md) \
	    $(DESTDIR)$(PREFIX)/share/doc/rapidbyte/

## clean: remove build/
clean:
	rm -rf build

## help: this list
help:
	@sed -n 's/^## \([^:]*\): /\1\t/p' $(MAKEFILE_LIST) | sort | awk -F '\t' '{printf "  %-28s %s\n", $$1, $$2}'
