// Modules: shared objects that the nvcc stand-in has made.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "Driver.h"

void setFibers(const void **place);  // Fibers.cpp


// An image comes without its length: the table of sections is the last thing in it.
static size_t sizeOf(const Elf64_Ehdr *header)
{
    return header->e_shoff + (size_t)header->e_shentsize * header->e_shnum;
}


static CUresult refusal(const char *image)
{
    if (memcmp(image, ELFMAG, SELFMAG) || image[EI_CLASS] != ELFCLASS64)
    {
        say("a module must be what the nvcc stand-in has made: no ptx, no fatbin");
        return CUDA_ERROR_INVALID_IMAGE;
    }
    const int cuda = 190;
    if (((const Elf64_Ehdr *)image)->e_machine != cuda)
        return CUDA_SUCCESS;
    say("a module was made by the real nvcc; the stand-in's own must come first in PATH");
    return CUDA_ERROR_NO_BINARY_FOR_GPU;
}


// Loads an image through a file beside this library: programs may run from there, as one has.
static void *load(const void *image)
{
    Dl_info own;
    dladdr((const void *)load, &own);
    const std::string folder(own.dli_fname, strrchr(own.dli_fname, '/') - own.dli_fname);
    std::string path = folder + "/module-XXXXXX";
    const int file = mkstemp(&path[0]);
    RETURN_IF(file < 0, nullptr);
    const size_t size = sizeOf((const Elf64_Ehdr *)image);
    const bool isWritten = write(file, image, size) == (ssize_t)size;
    close(file);
    void *library = isWritten ? dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) : 0;
    unlink(path.c_str());
    return library;
}


static int findThreadMemory(struct dl_phdr_info *loaded, size_t, void *module)
{
    Module &own = *(Module *)module;
    if (loaded->dlpi_addr != ((const struct link_map *)own.library)->l_addr)
        return 0;
    for (int i = 0; i < loaded->dlpi_phnum; ++i)
        if (loaded->dlpi_phdr[i].p_type == PT_TLS)
            own.threadSize = loaded->dlpi_phdr[i].p_memsz;
    own.threadMemory = {loaded->dlpi_tls_modid, 0};
    return 1;
}


API CUresult cuModuleLoadData(CUmodule *module, const void *image)
{
    ENTRY(inContext);
    const CUresult refused = refusal((const char *)image);
    if (refused)
        return refused;
    void *library = load(image);
    const void *kernels = library ? dlsym(library, "hostcudaKernels") : 0;
    if (!kernels)
    {
        const char *words = dlerror();
        say("a module does not load: %s", words ? words : "it could not be written to a file");
        return CUDA_ERROR_INVALID_IMAGE;
    }

    Module *made = new Module{};
    made->library = library;
    made->kernels = (const hostcuda::Kernel *)kernels;
    Dl_info where;
    dladdr(kernels, &where);
    made->base = where.dli_fbase;
    made->failure = (char *)dlsym(library, "minidlFailure");
    made->dynamicShared = (hostcuda::Range (*)())dlsym(library, "hostcudaDynamicShared");
    dl_iterate_phdr(findThreadMemory, made);
    if (const void **fibers = (const void **)dlsym(library, "minidlFibers"))
        setFibers(fibers);
    current().modules.insert(made);
    *module = made;
    return CUDA_SUCCESS;
}


// Of the options those for logs count, whose places the caller leaves as they were: both are empty.
API CUresult cuModuleLoadDataEx(
    CUmodule *module, const void *image, unsigned number, int *options, void **values)
{
    enum { infoBytes = 4, errorBytes = 6 };  // CU_JIT_..._LOG_BUFFER_SIZE_BYTES
    for (unsigned i = 0; i < number; ++i)
        if (options[i] == infoBytes || options[i] == errorBytes)
            values[i] = 0;
    return cuModuleLoadData(module, image);
}


API CUresult cuModuleLoad(CUmodule *module, const char *path)
{
    FILE *file = fopen(path, "rb");
    RETURN_IF(!file, CUDA_ERROR_FILE_NOT_FOUND);
    std::vector<char> image;
    char piece[4096];
    while (const size_t number = fread(piece, 1, sizeof piece, file))
        image.insert(image.end(), piece, piece + number);
    fclose(file);
    RETURN_IF(image.size() < sizeof(Elf64_Ehdr), CUDA_ERROR_INVALID_IMAGE);
    return cuModuleLoadData(module, image.data());
}


void unload(Module *module)
{
    dlclose(module->library);
    delete module;
}


API CUresult cuModuleUnload(CUmodule module)
{
    ENTRY(inContext);
    RETURN_IF(!current().modules.count(module), CUDA_ERROR_INVALID_HANDLE);
    current().runAll();
    current().modules.erase(module);
    unload(module);
    return current().outcome();
}


static const hostcuda::Kernel *find(const Module &module, const char *name)
{
    const void *address = dlsym(module.library, name);
    for (const hostcuda::Kernel *kernel = module.kernels; kernel->name; ++kernel)
        if (!strcmp(kernel->name, name) || (address && kernel->address == address))
            return kernel;
    return 0;
}


API CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name)
{
    ENTRY(inContext);
    RETURN_IF(!current().modules.count(module), CUDA_ERROR_INVALID_HANDLE);
    const hostcuda::Kernel *kernel = find(*module, name);
    RETURN_IF(!kernel, CUDA_ERROR_NOT_FOUND);
    Function &made = module->functions[name];
    made.kernel = kernel;
    made.module = module;
    made.name = kernel->name;
    made.parameters.resize((size_t)kernel->numParameters);
    kernel->describe(made.parameters.data());
    for (const hostcuda::Parameter &parameter : made.parameters)
        made.packedSize = parameter.offset + parameter.size;
    *function = &made;
    return CUDA_SUCCESS;
}


// Where a variable lies and how long it is.
static bool findVariable(const void *address, const char *&start, size_t &size, const void *&base)
{
    Dl_info where;
    const ElfW(Sym) *symbol = 0;
    if (!dladdr1(address, &where, (void **)&symbol, RTLD_DL_SYMENT) || !symbol)
        return false;
    start = (const char *)where.dli_saddr;
    size = symbol->st_size;
    base = where.dli_fbase;
    return true;
}


API CUresult cuModuleGetGlobal_v2(
    CUdeviceptr *address, size_t *size, CUmodule module, const char *name)
{
    ENTRY(inContext);
    RETURN_IF(!current().modules.count(module), CUDA_ERROR_INVALID_HANDLE);
    const char *start = 0;
    size_t numBytes = 0;
    const void *base = 0, *found = dlsym(module->library, name);
    const bool isFound = found && findVariable(found, start, numBytes, base);
    RETURN_IF(!isFound || base != module->base, CUDA_ERROR_NOT_FOUND);
    if (address)
        *address = (CUdeviceptr)start;
    if (size)
        *size = numBytes;
    return CUDA_SUCCESS;
}


bool isVariable(const Context &context, const void *address, size_t size)
{
    const char *start = 0;
    size_t numBytes = 0;
    const void *base = 0;
    if (!findVariable(address, start, numBytes, base))
        return false;
    for (const Module *module : context.modules)
        if (module->base == base)
            return (const char *)address + size <= start + numBytes;
    return false;
}
