/* Python's side of the kernel: arguments, callbacks, results. The stable interface of CPython 3.11, so that one build
 * serves all later versions. The kernel's own words are in _kernel.pyi. */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include "core.h"

#include <stdlib.h>
#include <string.h>

enum { LEARN, DECIDE, FIRST, REFUSE, SPECIMEN, FORGET, TRACE, CALLBACKS };

typedef struct {
    PyObject_HEAD
    kernel *core;
    PyObject *callbacks[CALLBACKS];
    scratch derived; /* of mask(), which a callback may call while the core uses its own */
    char busy, poisoned;
} KernelObject;

/* ---- callbacks: 0, or -1 with a Python error set ------------------------------------------------------------- */

static int done(PyObject *result) {
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static int as_u32(PyObject *number, u32 *out) {
    unsigned long value = PyLong_AsUnsignedLong(number);
    if (value == (unsigned long)-1 && PyErr_Occurred()) return -1;
    if (value > UINT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "an id has more than 32 bits");
        return -1;
    }
    *out = (u32)value;
    return 0;
}

static int as_u64(PyObject *number, u64 *out) {
    unsigned long long value = PyLong_AsUnsignedLongLong(number);
    if (value == (unsigned long long)-1 && PyErr_Occurred()) return -1;
    *out = value;
    return 0;
}

static int as_result(const KernelObject *self, PyObject *number, u64 *out) {
    if (as_u64(number, out)) return -1;
    if (value_is_known(self->core, *out)) return 0;
    PyErr_SetString(PyExc_ValueError, "a value that was not registered");
    return -1;
}

static int read_lesson(const KernelObject *self, PyObject *told, lesson *out) {
    if (!PyTuple_Check(told) || PyTuple_Size(told) != 3) {
        PyErr_SetString(PyExc_TypeError, "learn must return (context id, emits, verdict of the key)");
        return -1;
    }
    out->emits = PyObject_IsTrue(PyTuple_GetItem(told, 1));
    if (out->emits < 0 || as_u32(PyTuple_GetItem(told, 0), &out->context)) return -1;
    if (as_result(self, PyTuple_GetItem(told, 2), &out->key)) return -1;
    if (!(u32)out->key || out->key >> 32 & LASTING) return 0;
    PyErr_SetString(PyExc_ValueError, "what a key says must last");
    return -1;
}

static int ask_learn(void *owner, u32 path, u32 parent, const u8 *key, u32 size, lesson *out) {
    KernelObject *self = owner;
    PyObject *name = key ? PyUnicode_DecodeUTF8((const char *)key, size, "surrogatepass") : Py_NewRef(Py_None);
    if (!name) return -1;
    PyObject *told = PyObject_CallFunction(self->callbacks[LEARN], "IIN", path, parent, name);
    if (!told) return -1;
    int failed = read_lesson(self, told, out);
    Py_DECREF(told);
    return failed;
}

static PyObject *mask_number(const u64 *mask, u32 words) {
    PyObject *number = PyLong_FromUnsignedLongLong(mask[words - 1]), *width = NULL;
    if (words > 1 && !(width = PyLong_FromLong(64))) Py_CLEAR(number);
    for (u32 i = words - 1; number && i-- > 0;) {
        PyObject *high = PyNumber_Lshift(number, width), *low = PyLong_FromUnsignedLongLong(mask[i]);
        Py_DECREF(number);
        number = high && low ? PyNumber_Or(high, low) : NULL;
        Py_XDECREF(high);
        Py_XDECREF(low);
    }
    Py_XDECREF(width);
    return number;
}

static int ask_decide(void *owner, const u8 *value, u32 size, const u64 *mask, u32 context, u64 *out) {
    KernelObject *self = owner;
    PyObject *number = mask_number(mask, self->core->tables.mask_words);
    if (!number) return -1;
    PyObject *told =
        PyObject_CallFunction(self->callbacks[DECIDE], "y#NI", (const char *)value, (Py_ssize_t)size, number, context);
    if (!told) return -1;
    int failed = as_result(self, told, out);
    Py_DECREF(told);
    return failed;
}

static int ask_specimen(void *owner, u32 kind, u32 context, u32 *verdict) {
    KernelObject *self = owner;
    *verdict = 0;
    if (!self->callbacks[SPECIMEN]) return 0;
    PyObject *told = PyObject_CallFunction(self->callbacks[SPECIMEN], "II", kind, context);
    if (!told) return -1;
    int failed = as_u32(told, verdict);
    Py_DECREF(told);
    if (failed || *verdict <= self->core->verdict_count) return failed;
    PyErr_SetString(PyExc_ValueError, "a verdict that was not registered");
    return -1;
}

static int ask_first(void *owner, u32 event_type, u32 path, u32 verdict, u32 row, u32 token, const u8 *value, u32 size) {
    KernelObject *self = owner;
    return done(PyObject_CallFunction(self->callbacks[FIRST], "(II)(III)y#", event_type, path, verdict, row, token,
                                      (const char *)value, (Py_ssize_t)size));
}

static int ask_refuse(void *owner, const u8 *line, size_t size) {
    KernelObject *self = owner;
    return done(PyObject_CallFunction(self->callbacks[REFUSE], "y#", (const char *)line, (Py_ssize_t)size));
}

static int ask_forget(void *owner) {
    KernelObject *self = owner;
    return self->callbacks[FORGET] ? done(PyObject_CallFunction(self->callbacks[FORGET], NULL)) : 0;
}

static int ask_trace(void *owner, u64 line, u32 path, u32 verdict, u32 token) {
    KernelObject *self = owner;
    return done(PyObject_CallFunction(self->callbacks[TRACE], "KIII", (unsigned long long)line, path, verdict, token));
}

/* ---- construction -------------------------------------------------------------------------------------------- */

static int check_callbacks(const KernelObject *self) {
    for (u32 i = 0; i < CALLBACKS; i++) {
        if (self->callbacks[i] ? PyCallable_Check(self->callbacks[i]) : i >= SPECIMEN) continue;
        PyErr_SetString(PyExc_TypeError, "learn, decide, first and refuse must be given; all callbacks must be callable");
        return -1;
    }
    return 0;
}

static int check_options(const options *o) {
    if (o->paths < 2 || o->paths > MAX_PATHS || o->memo < 1 || o->memo > 1u << 28 || o->event_types < 1 ||
        o->event_types > MAX_EVENT_TYPES) {
        PyErr_SetString(PyExc_ValueError, "paths, memo or event_types is out of range");
        return -1;
    }
    return 0;
}

static kernel *new_core(KernelObject *self, const Py_buffer *blob, const options *o) {
    questions ask = {self, ask_learn, ask_decide, ask_specimen, ask_first, ask_refuse, ask_forget,
                     self->callbacks[TRACE] ? ask_trace : NULL};
    tables t;
    const char *wrong = tables_read(&t, blob->buf, (size_t)blob->len);
    if (wrong) {
        PyErr_SetString(PyExc_ValueError, wrong);
        return NULL;
    }
    kernel *core = kernel_new(&t, &ask, o);
    return core ? core : (kernel *)PyErr_NoMemory();
}

static u64 random_seed(void) {
    PyObject *text = PyUnicode_FromString("scanner.kernel");
    Py_hash_t hash = text ? PyObject_Hash(text) : 0; /* random in each process, unless PYTHONHASHSEED says otherwise */
    Py_XDECREF(text);
    return (u64)hash;
}

static PyObject *kernel_py_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"tables", "learn", "decide", "first", "refuse", "specimen", "forget", "trace",
                            "event_type", "event_time", "paths", "memo", "event_types", "simd", "key", "hot", "luhn", NULL};
    PyObject *calls[CALLBACKS] = {NULL};
    Py_buffer blob;
    const char *event_type = "event_type", *event_time = "event_time";
    Py_ssize_t event_type_size = 10, event_time_size = 10;
    options o = {.paths = 1 << 17, .memo = 1 << 20, .event_types = MAX_EVENT_TYPES, .simd = 1, .seed = random_seed()};
    const char *key = NULL, *hot = NULL, *luhn = NULL;
    Py_ssize_t key_size = 0, hot_size = 0, luhn_size = 0;
    memset(o.hot.bits, 0xFF, sizeof o.hot.bits);
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*|$OOOOOOOy#y#IIIpy#y#y#:Kernel", names, &blob, &calls[LEARN],
                                     &calls[DECIDE], &calls[FIRST], &calls[REFUSE], &calls[SPECIMEN], &calls[FORGET],
                                     &calls[TRACE], &event_type, &event_type_size, &event_time, &event_time_size, &o.paths,
                                     &o.memo, &o.event_types, &o.simd, &key, &key_size, &hot, &hot_size, &luhn, &luhn_size))
        return NULL;
    if ((key && key_size != sizeof o.print_key) || (hot && hot_size != sizeof o.hot.bits) ||
        luhn_size > (Py_ssize_t)sizeof o.hot.luhn) {
        PyBuffer_Release(&blob);
        return PyErr_Format(PyExc_ValueError, "a key has 16 bytes, hot has 16, luhn not more than a mask");
    }
    if (key) memcpy(o.print_key, key, sizeof o.print_key);
    if (hot) memcpy(o.hot.bits, hot, sizeof o.hot.bits);
    if (luhn) memcpy(o.hot.luhn, luhn, (size_t)luhn_size);
    o.event_type = (const u8 *)event_type;
    o.event_time = (const u8 *)event_time;
    o.event_type_size = (u32)event_type_size;
    o.event_time_size = (u32)event_time_size;
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    KernelObject *self = (KernelObject *)alloc(type, 0);
    for (u32 i = 0; self && i < CALLBACKS; i++)
        if (calls[i] && calls[i] != Py_None) self->callbacks[i] = Py_NewRef(calls[i]);
    if (self && (check_callbacks(self) || check_options(&o) || !(self->core = new_core(self, &blob, &o)))) Py_CLEAR(self);
    PyBuffer_Release(&blob);
    return (PyObject *)self;
}

static int kernel_traverse(KernelObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE((PyObject *)self));
    for (u32 i = 0; i < CALLBACKS; i++) Py_VISIT(self->callbacks[i]);
    return 0;
}

static int kernel_clear(KernelObject *self) {
    self->poisoned = 1; /* no callbacks, no scan */
    for (u32 i = 0; i < CALLBACKS; i++) Py_CLEAR(self->callbacks[i]);
    return 0;
}

static void kernel_dealloc(KernelObject *self) {
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyObject_GC_UnTrack(self);
    kernel_clear(self);
    kernel_free(self->core);
    free(self->derived.bytes);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* ---- methods ------------------------------------------------------------------------------------------------- */

static int usable(const KernelObject *self) {
    if (self->busy) PyErr_SetString(PyExc_RuntimeError, "the kernel is scanning: not from a callback");
    else if (self->poisoned) PyErr_SetString(PyExc_RuntimeError, "the kernel was left in the middle of a line by an error");
    return !self->busy && !self->poisoned;
}

static int check_range(const Py_buffer *buffer, Py_ssize_t start, Py_ssize_t end) {
    const char *bytes = buffer->buf;
    if (0 <= start && start <= end && end <= buffer->len && (start == end || bytes[end - 1] == '\n')) return 0;
    PyErr_SetString(PyExc_ValueError, "[start, end) must be whole lines of the buffer");
    return -1;
}

static PyObject *scan_range(KernelObject *self, const Py_buffer *buffer, Py_ssize_t start, Py_ssize_t end) {
    const u8 *bytes = buffer->buf;
    u64 lines;
    size_t done_bytes;
    self->busy = 1;
    status s = kernel_scan(self->core, bytes + start, bytes + end, bytes + buffer->len, &lines, &done_bytes);
    self->busy = 0;
    self->poisoned = s != STATUS_OK;
    if (s == STATUS_NO_MEMORY) return PyErr_NoMemory();
    return s ? NULL : Py_BuildValue("(Kn)", (unsigned long long)lines, (Py_ssize_t)done_bytes);
}

static PyObject *kernel_py_scan(KernelObject *self, PyObject *args) {
    Py_buffer buffer;
    Py_ssize_t start, end;
    if (!PyArg_ParseTuple(args, "y*nn:scan", &buffer, &start, &end)) return NULL;
    PyObject *result = NULL;
    if (usable(self) && !check_range(&buffer, start, end)) result = scan_range(self, &buffer, start, end);
    PyBuffer_Release(&buffer);
    return result;
}

static int read_row(PyObject *item, verdict_row *row) {
    PyObject *numbers = PySequence_Tuple(item);
    if (!numbers) return -1;
    u32 *fields[] = {&row->sub, &row->data_type, &row->grade, &row->reasons, &row->via};
    int failed = PyTuple_Size(numbers) != 5;
    if (failed) PyErr_SetString(PyExc_ValueError, "a row is (sub, data_type, grade, reasons, via)");
    for (Py_ssize_t i = 0; !failed && i < 5; i++) failed = as_u32(PyTuple_GetItem(numbers, i), fields[i]);
    Py_DECREF(numbers);
    if (!failed && (row->grade < 1 || row->grade > 3)) {
        PyErr_SetString(PyExc_ValueError, "a grade is 1, 2 or 3");
        failed = 1;
    }
    return failed ? -1 : 0;
}

static PyObject *add_verdict(KernelObject *self, PyObject *tuple) {
    Py_ssize_t count = PyTuple_Size(tuple);
    verdict_row *rows = malloc((size_t)count * sizeof *rows + 1);
    if (!rows) return PyErr_NoMemory();
    int failed = 0;
    for (Py_ssize_t i = 0; !failed && i < count; i++) failed = read_row(PyTuple_GetItem(tuple, i), &rows[i]);
    u32 id = failed ? 0 : verdict_add(self->core, rows, (u32)count);
    free(rows);
    if (id) return PyLong_FromUnsignedLong(id);
    return failed ? NULL : PyErr_NoMemory();
}

static PyObject *kernel_py_verdict(KernelObject *self, PyObject *rows) {
    PyObject *tuple = PySequence_Tuple(rows);
    if (!tuple) return NULL;
    PyObject *id = add_verdict(self, tuple);
    Py_DECREF(tuple);
    return id;
}

static int read_prints(PyObject *tuple, u64 *out) {
    for (Py_ssize_t i = 0; i < PyTuple_Size(tuple); i++) {
        if (as_u64(PyTuple_GetItem(tuple, i), &out[i])) return -1;
        if (out[i]) continue;
        PyErr_SetString(PyExc_ValueError, "a fingerprint is never 0");
        return -1;
    }
    return 0;
}

static PyObject *add_value(KernelObject *self, u32 verdict, PyObject *tuple, int lasting) {
    const kernel *k = self->core;
    size_t count = (size_t)PyTuple_Size(tuple);
    if (!verdict || verdict > k->verdict_count || count != k->verdict_ends[verdict] - k->verdict_ends[verdict - 1]) {
        PyErr_SetString(PyExc_ValueError, "a fingerprint for each row of a registered verdict");
        return NULL;
    }
    u64 *prints = malloc(count * sizeof *prints + 1);
    u32 token = 0;
    if (!prints) return PyErr_NoMemory();
    int failed = read_prints(tuple, prints);
    status s = failed ? STATUS_OK : value_add(self->core, verdict, prints, lasting, &token);
    free(prints);
    if (failed) return NULL;
    return s ? PyErr_NoMemory() : PyLong_FromUnsignedLongLong((u64)token << 32 | verdict);
}

static PyObject *kernel_py_value(KernelObject *self, PyObject *args) {
    unsigned long verdict;
    PyObject *prints;
    int lasting = 0;
    if (!PyArg_ParseTuple(args, "kO|p:value", &verdict, &prints, &lasting)) return NULL;
    PyObject *tuple = PySequence_Tuple(prints);
    if (!tuple) return NULL;
    PyObject *result = add_value(self, verdict > UINT32_MAX ? 0 : (u32)verdict, tuple, lasting);
    Py_DECREF(tuple);
    return result;
}

static PyObject *kernel_py_mask(KernelObject *self, PyObject *args) {
    Py_buffer text;
    u64 mask[MAX_MASK_WORDS] = {0};
    if (!PyArg_ParseTuple(args, "y*:mask", &text)) return NULL;
    status s = nominate_text(&self->core->tables, &self->derived, text.buf, (size_t)text.len, 0, mask);
    PyBuffer_Release(&text);
    return s ? PyErr_NoMemory() : mask_number(mask, self->core->tables.mask_words);
}

static PyObject *kernel_py_event_types(KernelObject *self, PyObject *unused) {
    (void)unused;
    const type_table *t = &self->core->types;
    PyObject *names = PyList_New(0);
    for (u32 id = 0; names && id < t->count; id++) {
        u32 start = id ? t->ends[id - 1] : 0, size = t->ends[id] - start;
        PyObject *name = PyUnicode_DecodeUTF8(size ? (const char *)t->names + start : "", size, "surrogatepass");
        if (!name || PyList_Append(names, name)) Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

/* Appends a new reference, or clears the list; NULLs go through. */
static void append(PyObject **list, PyObject *item) {
    if (*list && (!item || PyList_Append(*list, item))) Py_CLEAR(*list);
    Py_XDECREF(item);
}

static PyObject *seen_rows(const counters *c) {
    PyObject *rows = PyList_New(0);
    for (u32 type = 0; type < c->event_types; type++)
        for (u32 slot = 0; c->pages[type] && slot < c->table_size; slot++) {
            const u32 *page = c->pool + (size_t)c->pages[type][slot] * PAGE;
            for (u32 i = 0; rows && c->pages[type][slot] && i < PAGE; i++)
                if (page[i]) append(&rows, Py_BuildValue("(III)", type, slot * PAGE + i, page[i]));
        }
    return rows;
}

static PyObject *counter_rows(const counters *c) {
    typedef unsigned long long number;
    PyObject *rows = PyList_New(0);
    for (u32 i = 0; rows && i < c->count; i++) {
        const counter *e = &c->entries[i];
        u8 distinct[SKETCH_BYTES];
        u32 size = sketch_bytes(&e->distinct, distinct);
        append(&rows, Py_BuildValue("(IIII(KKK)IIKKy#)", e->event_type, e->path, e->sub, e->data_type,
                                    (number)e->events[0], (number)e->events[1], (number)e->events[2], e->reasons, e->via,
                                    (number)e->first, (number)e->last, (const char *)distinct, (Py_ssize_t)size));
    }
    return rows;
}

static PyObject *kernel_py_take(KernelObject *self, PyObject *unused) {
    (void)unused;
    typedef unsigned long long number;
    if (!usable(self)) return NULL;
    kernel *k = self->core;
    const tally *t = &k->tally;
    PyObject *result = Py_BuildValue(
        "{sK sK sK sK sK sI sI sN sN}", "lines", (number)t->lines, "bytes", (number)t->bytes, "blank_lines",
        (number)t->blank_lines, "refused_lines", (number)t->refused_lines, "refused_bytes", (number)t->refused_bytes,
        "paths", k->paths.count, "memo", k->memo.count, "seen", seen_rows(&k->counters), "counters",
        counter_rows(&k->counters));
    if (!result) return NULL;
    counters_clear(&k->counters);
    k->tally = (tally){0};
    return result;
}

static PyObject *kernel_py_line(KernelObject *self, PyObject *unused) {
    (void)unused;
    const kernel *k = self->core;
    if (k->line_start) return PyBytes_FromStringAndSize((const char *)k->line_start, (Py_ssize_t)k->line_size);
    PyErr_SetString(PyExc_RuntimeError, "only while a line is scanned");
    return NULL;
}

static PyObject *kernel_py_reset_memo(KernelObject *self, PyObject *unused) {
    (void)unused;
    if (!usable(self)) return NULL;
    kernel_forget(self->core);
    return Py_NewRef(Py_None);
}

static PyObject *get_simd(KernelObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(self->core->walk != walk_line_scalar);
}

/* ---- module -------------------------------------------------------------------------------------------------- */

/* ---- what the kernel knows by itself, for tests and for the plain engine ---------------------------------------- */

static PyObject *py_fingerprint(PyObject *module, PyObject *args) {
    (void)module;
    const char *key, *text;
    Py_ssize_t key_size, size;
    u64 words[2];
    if (!PyArg_ParseTuple(args, "y#y#:fingerprint", &key, &key_size, &text, &size)) return NULL;
    if (key_size != sizeof words) return PyErr_Format(PyExc_ValueError, "a key has 16 bytes");
    memcpy(words, key, sizeof words);
    return PyLong_FromUnsignedLongLong(fingerprint(words, (const u8 *)text, (size_t)size));
}

static PyObject *py_is_hot(PyObject *module, PyObject *args) {
    (void)module;
    unsigned int kind;
    const char *text;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "Iy#:is_hot", &kind, &text, &size)) return NULL;
    return PyBool_FromLong(kind < HOT_KINDS && hot_is((hot_kind)kind, (const u8 *)text, (size_t)size));
}

static PyMethodDef functions[] = {
    {"fingerprint", py_fingerprint, METH_VARARGS, "fingerprint(key, text) -> 64 bits, never 0"},
    {"is_hot", py_is_hot, METH_VARARGS, "is_hot(kind, text) -> whether all such values are judged alike"},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef methods[] = {
    {"scan", (PyCFunction)kernel_py_scan, METH_VARARGS, "scan(buffer, start, end) -> (lines, bytes) done"},
    {"verdict", (PyCFunction)kernel_py_verdict, METH_O, "verdict(rows) -> id, from 1"},
    {"value", (PyCFunction)kernel_py_value, METH_VARARGS, "value(verdict, fingerprints, lasting=False) -> result"},
    {"mask", (PyCFunction)kernel_py_mask, METH_VARARGS, "mask(text) -> which rules may match"},
    {"take", (PyCFunction)kernel_py_take, METH_NOARGS, "take() -> what was counted since the last call"},
    {"event_types", (PyCFunction)kernel_py_event_types, METH_NOARGS, "event_types() -> names by id"},
    {"line", (PyCFunction)kernel_py_line, METH_NOARGS, "line() -> the line that a callback is about"},
    {"reset_memo", (PyCFunction)kernel_py_reset_memo, METH_NOARGS, "reset_memo(): decide every value anew"},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"simd", (getter)get_simd, NULL, "whether AVX2 is used", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Walks JSON lines once: nominates, remembers decisions, counts."},
    {Py_tp_new, kernel_py_new},
    {Py_tp_dealloc, kernel_dealloc},
    {Py_tp_traverse, kernel_traverse},
    {Py_tp_clear, kernel_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, NULL},
};

static PyType_Spec kernel_spec = {
    "scanner.kernel._kernel.Kernel", sizeof(KernelObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, slots,
};

static int fill_module(PyObject *module) {
    PyObject *type = PyType_FromModuleAndSpec(module, &kernel_spec, NULL);
    if (!type) return -1;
    int failed = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return failed;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill_module}, {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernel", "The scan kernel.", 0, functions, module_slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void) { return PyModuleDef_Init(&definition); }
