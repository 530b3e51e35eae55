# Programs and places. Everything here can be given on the command line.

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang-19
CLANG_FORMAT ?= clang-format-19
CLANG_TIDY ?= clang-tidy-19
PYTHON ?= python3
AR_host := ar
AR_guest := llvm-ar-19
PREFIX ?= /usr/local
DESTDIR ?=

NPROC := $(shell nproc 2>/dev/null || echo 2)
# Parallel unless told otherwise.
ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(NPROC)
endif

# V=1 shows the commands.
Q := $(if $(V),,@)
quiet = $(V)$(findstring s,$(filter-out -%,$(firstword $(MAKEFLAGS))))
say = $(if $(quiet),,@printf '  %-9s %s\n' '$(1)' '$(2)')
