/*
 * WasmEdge's handler of faults, kept in place. A guest's bad access is a SIGSEGV that WasmEdge's
 * handler turns into a trap. It installs the handler when the first thread enters compiled code and
 * gives the signal back when the last one has left; but it counts first and acts afterwards, so a
 * thread that enters in between runs without it, and its trap kills the process with all others in
 * it. So libwasmedge gets this file's sigaction and signal: what it gives back is not taken.
 */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/guest/internal.h"

_Thread_local unsigned rb_guest_running;

typedef void handler_fn(int number, siginfo_t *info, void *context);
static _Atomic(handler_fn *) wasmedge_handler;

/* Outside of guests there is nobody who would take a trap: the process ends as it would without. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    handler_fn *handler = atomic_load(&wasmedge_handler);
    if (rb_guest_running > 0 && handler != NULL) {
        handler(number, info, context);
        return;
    }
    const struct sigaction otherwise = {.sa_handler = SIG_DFL};
    (void)sigaction(number, &otherwise, NULL); /* and the access is tried again */
}

static bool is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE;
}

/* Takes a handler. */
static int our_sigaction(int number, const struct sigaction *action, struct sigaction *ret_old)
{
    if (!is_fault(number) || action == NULL || (action->sa_flags & SA_SIGINFO) == 0) {
        return sigaction(number, action, ret_old);
    }
    atomic_store(&wasmedge_handler, action->sa_sigaction);
    struct sigaction ours = *action;
    ours.sa_sigaction = on_fault;
    return sigaction(number, &ours, ret_old);
}

/* Gives a handler back. */
static sighandler_t our_signal(int number, sighandler_t handler)
{
    return is_fault(number) && handler == SIG_DFL ? SIG_DFL : signal(number, handler);
}

/* What the dynamic linker has of a library. */
struct library {
    ElfW(Addr) base;
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Rela) * slots; /* of functions */
    size_t n_slots;
    ElfW(Addr) relro, relro_end; /* read-only since it was loaded */
};

static void read_dynamic(const struct link_map *map, struct library *ret)
{
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        /* Relocated in place by glibc, but for some architectures. */
        ElfW(Addr) address =
            d->d_un.d_ptr < map->l_addr ? map->l_addr + d->d_un.d_ptr : d->d_un.d_ptr;
        switch (d->d_tag) {
        case DT_SYMTAB:
            memcpy(&ret->symbols, &address, sizeof address);
            break;
        case DT_STRTAB:
            memcpy(&ret->names, &address, sizeof address);
            break;
        case DT_JMPREL:
            memcpy(&ret->slots, &address, sizeof address);
            break;
        case DT_PLTRELSZ:
            ret->n_slots = d->d_un.d_val / sizeof(ElfW(Rela));
            break;
        default:
            break;
        }
    }
}

static int find_relro(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    struct library *library = user;
    for (ElfW(Half) i = 0; info->dlpi_addr == library->base && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_GNU_RELRO) {
            library->relro = library->base + header->p_vaddr;
            library->relro_end = library->relro + header->p_memsz;
        }
    }
    return 0;
}

static void replace(const struct library *library, ElfW(Addr) slot, const void *pointer)
{
    ElfW(Addr) page_bytes = (ElfW(Addr))sysconf(_SC_PAGESIZE);
    ElfW(Addr) page_at = slot & ~(page_bytes - 1);
    bool is_read_only = slot >= library->relro && slot < library->relro_end;
    void *page, *at;
    memcpy(&page, &page_at, sizeof page);
    memcpy(&at, &slot, sizeof at);
    if (is_read_only && mprotect(page, page_bytes, PROT_READ | PROT_WRITE) != 0) {
        return;
    }
    memcpy(at, pointer, sizeof(void *));
    if (is_read_only) {
        (void)mprotect(page, page_bytes, PROT_READ);
    }
}

void rb_guest_keep_handlers(void *lib)
{
    int (*const take)(int, const struct sigaction *, struct sigaction *) = our_sigaction;
    sighandler_t (*const give_back)(int, sighandler_t) = our_signal;
    struct link_map *map = NULL;
    struct library library = {0};
    if (dlinfo(lib, RTLD_DI_LINKMAP, &map) != 0) {
        return;
    }
    library.base = map->l_addr;
    read_dynamic(map, &library);
    (void)dl_iterate_phdr(find_relro, &library);
    bool is_known = library.symbols != NULL && library.names != NULL && library.slots != NULL;
    for (size_t i = 0; is_known && i < library.n_slots; i++) {
        const ElfW(Rela) *slot = &library.slots[i];
        const ElfW(Sym) *symbol = &library.symbols[ELF64_R_SYM(slot->r_info)];
        const char *name = library.names + symbol->st_name;
        if (strcmp(name, "sigaction") == 0) {
            replace(&library, library.base + slot->r_offset, &take);
        } else if (strcmp(name, "signal") == 0) {
            replace(&library, library.base + slot->r_offset, &give_back);
        }
    }
}
