"""Native code for the cases: the C library through ctypes, and a small extension compiled when first asked for."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sysconfig
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

SOURCE = r"""
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* keep(n): malloc n bytes, write them and forget them. */
static PyObject *keep(PyObject *self, PyObject *size) {
    Py_ssize_t n = PyLong_AsSsize_t(size);
    char *memory = malloc(n);
    if (memory == NULL) return PyErr_NoMemory();
    memset(memory, 1, n);
    Py_RETURN_NONE;
}

/* touch(n): the same, and give it back. */
static PyObject *touch(PyObject *self, PyObject *size) {
    Py_ssize_t n = PyLong_AsSsize_t(size);
    char *memory = malloc(n);
    if (memory == NULL) return PyErr_NoMemory();
    memset(memory, 1, n);
    free(memory);
    Py_RETURN_NONE;
}

/* describe(x): build a tuple and give it one reference too many. */
static PyObject *describe(PyObject *self, PyObject *value) {
    PyObject *pair = Py_BuildValue("(Os)", value, "described");
    Py_XINCREF(pair);
    return pair;
}

/* parse(bytes): copy into memory of Python's raw allocator; what does not begin with '{' is refused and forgotten. */
static PyObject *parse(PyObject *self, PyObject *text) {
    char *data; Py_ssize_t n;
    if (PyBytes_AsStringAndSize(text, &data, &n) < 0) return NULL;
    char *copy = PyMem_RawMalloc(n + 1);
    if (copy == NULL) return PyErr_NoMemory();
    memcpy(copy, data, n + 1);
    if (copy[0] != '{') {
        PyErr_SetString(PyExc_ValueError, "not an object");
        return NULL;
    }
    PyMem_RawFree(copy);
    Py_RETURN_NONE;
}

static void *wait_for_ever(void *unused) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&mutex);
    for (;;) pthread_cond_wait(&never, &mutex);
    return NULL;
}

/* park(): start a native thread that Python knows nothing of and that never ends. */
static PyObject *park(PyObject *self, PyObject *unused) {
    pthread_t thread; pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 * 1024);
    if (pthread_create(&thread, &small, wait_for_ever, NULL) != 0) return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"keep", keep, METH_O, ""}, {"touch", touch, METH_O, ""}, {"describe", describe, METH_O, ""},
    {"parse", parse, METH_O, ""}, {"park", park, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "leaky", NULL, -1, methods};
PyMODINIT_FUNC PyInit_leaky(void) { return PyModule_Create(&module); }
"""

#: Where the compiled extension is kept between interpreters; the name tells source and Python apart.
FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "leaks"


def can_compile() -> bool:
    """Tell whether there is a compiler and Python's own headers."""
    return shutil.which("gcc") is not None and Path(sysconfig.get_path("include"), "Python.h").is_file()


@cache
def extension() -> ModuleType:
    """Return the extension `leaky`, compiled if it was not before."""
    key = hashlib.sha256(f"{SOURCE}{sysconfig.get_config_var('SOABI')}".encode()).hexdigest()[:16]
    built = FOLDER / key / "leaky.so"
    if not built.is_file():
        built.parent.mkdir(parents=True, exist_ok=True)
        source = built.with_name(f"{os.getpid()}.c")
        source.write_text(SOURCE)
        half = source.with_suffix(".so")
        include = sysconfig.get_path("include")
        subprocess.run(
            ["gcc", "-O1", "-shared", "-fPIC", "-pthread", f"-I{include}", str(source), "-o", str(half)], check=True
        )
        half.replace(built)
        source.unlink()
    spec = importlib.util.spec_from_file_location("leaky", built)
    if spec is None or spec.loader is None:
        raise ImportError(str(built))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def libc() -> Any:
    """Return the C library with the types of what the cases call."""
    library = ctypes.CDLL(None, use_errno=True)
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.realloc.restype = ctypes.c_void_p
    library.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    library.strdup.restype = ctypes.c_void_p
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    library.fopen.restype = ctypes.c_void_p
    return library
