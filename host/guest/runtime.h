/*
 * libwasmedge, opened at run time: one table of the functions that host/guest uses. Internal to
 * host/guest.
 */
#ifndef RB_HOST_GUEST_RUNTIME_H
#define RB_HOST_GUEST_RUNTIME_H

#include <wasmedge/wasmedge.h>

#define RB_WASMEDGE_FUNCTIONS(X)                                                                   \
    X(VersionGet)                                                                                  \
    X(LogOff)                                                                                      \
    X(ValTypeGenI32)                                                                               \
    X(ValTypeGenI64)                                                                               \
    X(ValTypeIsI32)                                                                                \
    X(ValTypeIsI64)                                                                                \
    X(ValueGenI32)                                                                                 \
    X(ValueGetI32)                                                                                 \
    X(ValueGetI64)                                                                                 \
    X(StringWrap)                                                                                  \
    X(ResultOK)                                                                                    \
    X(ResultGetCode)                                                                               \
    X(ResultGetMessage)                                                                            \
    X(ConfigureCreate)                                                                             \
    X(ConfigureDelete)                                                                             \
    X(ConfigureSetMaxMemoryPage)                                                                   \
    X(ConfigureSetForceInterpreter)                                                                \
    X(ConfigureCompilerSetOptimizationLevel)                                                       \
    X(ConfigureCompilerSetOutputFormat)                                                            \
    X(CompilerCreate)                                                                              \
    X(CompilerDelete)                                                                              \
    X(CompilerCompileFromBuffer)                                                                   \
    X(LoaderCreate)                                                                                \
    X(LoaderDelete)                                                                                \
    X(LoaderParseFromFile)                                                                         \
    X(ValidatorCreate)                                                                             \
    X(ValidatorDelete)                                                                             \
    X(ValidatorValidate)                                                                           \
    X(ASTModuleDelete)                                                                             \
    X(ASTModuleListImportsLength)                                                                  \
    X(ASTModuleListImports)                                                                        \
    X(ASTModuleListExportsLength)                                                                  \
    X(ASTModuleListExports)                                                                        \
    X(ImportTypeGetExternalType)                                                                   \
    X(ImportTypeGetModuleName)                                                                     \
    X(ImportTypeGetExternalName)                                                                   \
    X(ImportTypeGetFunctionType)                                                                   \
    X(ExportTypeGetExternalType)                                                                   \
    X(ExportTypeGetExternalName)                                                                   \
    X(ExportTypeGetFunctionType)                                                                   \
    X(ExportTypeGetMemoryType)                                                                     \
    X(MemoryTypeGetLimit)                                                                          \
    X(FunctionTypeCreate)                                                                          \
    X(FunctionTypeDelete)                                                                          \
    X(FunctionTypeGetParametersLength)                                                             \
    X(FunctionTypeGetParameters)                                                                   \
    X(FunctionTypeGetReturnsLength)                                                                \
    X(FunctionTypeGetReturns)                                                                      \
    X(FunctionInstanceCreate)                                                                      \
    X(FunctionInstanceDelete)                                                                      \
    X(ModuleInstanceCreate)                                                                        \
    X(ModuleInstanceDelete)                                                                        \
    X(ModuleInstanceAddFunction)                                                                   \
    X(ModuleInstanceFindFunction)                                                                  \
    X(ModuleInstanceFindMemory)                                                                    \
    X(MemoryInstanceGetPointer)                                                                    \
    X(MemoryInstanceGetPageSize)                                                                   \
    X(CallingFrameGetMemoryInstance)                                                               \
    X(StoreCreate)                                                                                 \
    X(StoreDelete)                                                                                 \
    X(ExecutorCreate)                                                                              \
    X(ExecutorDelete)                                                                              \
    X(ExecutorRegisterImport)                                                                      \
    X(ExecutorInstantiate)                                                                         \
    X(ExecutorInvoke)

struct rb_wasmedge {
#define RB_WASMEDGE_MEMBER(name) __typeof__ (&WasmEdge_##name)(name);
    RB_WASMEDGE_FUNCTIONS(RB_WASMEDGE_MEMBER)
#undef RB_WASMEDGE_MEMBER
};

/* Filled by rb_guest_runtime_load, constant afterwards. */
extern struct rb_wasmedge rb_wasmedge;

#endif
