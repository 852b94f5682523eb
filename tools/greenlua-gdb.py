"""greenlua-gdb.py: green threads and their Lua tracebacks, in gdb.

    gdb -p PID -x tools/greenlua-gdb.py -ex greenlua-threads
    gdb greenlua CORE -x tools/greenlua-gdb.py -ex greenlua-threads

greenlua-threads [EXPRESSION]
    All green threads of a runtime: number, name, state, what each waits for, where it was
    spawned, its Lua stack, above that those of the script's coroutines that it is in.
    EXPRESSION is a `vm *` or a `greenlua *`, in a host program; without
    one it is that of the command `greenlua`.

greenlua-traceback EXPRESSION
    The Lua stack of a lua_State, of any coroutine, with those that it has resumed.

Nothing of the program is called, so a core file will do. The layouts of LuaJIT's own
structures (x86-64 and arm64 with LJ_GC64, LuaJIT 2.1) stand here: Debian has no symbols
for them. greenlua must have been built with -g, as `make` does.
"""

import gdb

# -- LuaJIT's structures (lj_obj.h, lj_frame.h) ------------------------------

STATE_BASE, STATE_STACK = 32, 56
FUNC_FFID, FUNC_PC = 10, 32
PROTO_SIZE, PROTO_SIZEBC, PROTO_CHUNKNAME = 104, 12, 64
PROTO_FIRSTLINE, PROTO_NUMLINE, PROTO_LINEINFO = 72, 76, 80
STRING_LENGTH, STRING_DATA = 20, 24
POINTER_BITS = (1 << 47) - 1
OBJECT_TYPE, TYPE_THREAD = 9, 6
TAG_THREAD = ~6 & 0x1FFFF  # of a value, above the bits of its pointer
FRAME_LUA, FRAME_CONT, FRAME_VARG = 0, 2, 3
MOST_FRAMES = 200
MOST_COROUTINES = 100  # one inside of the other

RESUME = "green/patch/coroutine.lua"  # whose functions that resume have that as first local


def read(address, size):
    memory = gdb.selected_inferior().read_memory(address, size)
    return int.from_bytes(bytes(memory), "little")


def string_at(address):
    length = min(read(address + STRING_LENGTH, 4), 4096)
    memory = gdb.selected_inferior().read_memory(address + STRING_DATA, length)
    return bytes(memory).decode("utf-8", "replace")


def line_of(proto, pc):
    """The line of the instruction with that number, as lj_debug_line finds it."""
    lineinfo = read(proto + PROTO_LINEINFO, 8)
    first = read(proto + PROTO_FIRSTLINE, 4)
    if not lineinfo or pc < 0 or pc > read(proto + PROTO_SIZEBC, 4):
        return first
    numline = read(proto + PROTO_NUMLINE, 4)
    if pc == read(proto + PROTO_SIZEBC, 4):
        return first + numline
    if pc == 0:
        return first
    size = 1 if numline < 256 else 2 if numline < 65536 else 4
    return first + read(lineinfo + (pc - 1) * size, size)


def chunk_name(proto):
    """A file's or text's name as tracebacks show it."""
    name = string_at(read(proto + PROTO_CHUNKNAME, 8))
    if name[:1] in ("@", "="):
        return name[1:]
    return '[string "%s"]' % name.split("\n")[0]


def describe_frame(function, pc_address):
    """One line for a function that has come to the instruction before an address."""
    if read(function + FUNC_FFID, 1) != 0:
        return "[C]"
    start = read(function + FUNC_PC, 8)
    proto = start - PROTO_SIZE
    first = read(proto + PROTO_FIRSTLINE, 4)
    name = chunk_name(proto)
    what = "main chunk" if first == 0 else "function <%s:%d>" % (name, first)
    if pc_address is None:
        return "%s: in %s" % (name, what)
    return "%s:%d: in %s" % (name, line_of(proto, (pc_address - start) // 4 - 1), what)


def frames_of(state):
    """(function, address of the next instruction or None, address of the first local) from
    the top to the bottom.

    A function with `...` has a second frame below its own, which is passed over.
    """
    stack = read(state + STATE_STACK, 8)
    frame, above, kind = read(state + STATE_BASE, 8) - 8, None, None
    for _ in range(MOST_FRAMES):
        if frame <= stack + 8:
            return
        link = read(frame, 8)
        if kind != FRAME_VARG:
            yield read(frame - 8, 8) & POINTER_BITS, above, frame + 8
        kind = link & 3
        if kind == FRAME_LUA:
            above = link
            frame -= 8 * (2 + (read(link - 4, 4) >> 8 & 0xFF))
        else:
            above = read(frame - 16, 8) if kind == FRAME_CONT else None
            frame -= link & ~7


def is_resume(function):
    if read(function + FUNC_FFID, 1) != 0:
        return False
    return chunk_name(read(function + FUNC_PC, 8) - PROTO_SIZE).endswith(RESUME)


def thread_at(slot):
    """The lua_State that a stack's slot holds; 0: it holds something else."""
    value = read(slot, 8)
    address = value & POINTER_BITS
    if value >> 47 != TAG_THREAD or read(address + OBJECT_TYPE, 1) != TYPE_THREAD:
        return 0
    return address


def own_traceback(state):
    """The lines of one stack, and the coroutine that it has resumed, or 0."""
    lines, inner = [], None
    try:
        for function, pc, first_local in frames_of(state):
            lines.append(describe_frame(function, pc))
            if inner is None and is_resume(function):
                inner = thread_at(first_local)
    except gdb.MemoryError as err:
        lines.append("(what follows is no stack: %s)" % err)
    return lines, inner if inner != state else 0


def traceback(state):
    """The lines of a stack, below those of the coroutines that it is in; of a running one,
    as it was when Lua last called C."""
    lines = []
    for _ in range(MOST_COROUTINES):
        if not state:
            break
        own, inner = own_traceback(state)
        lines = own + lines
        if inner:
            lines.insert(0, "in coroutine 0x%x, resumed by:" % inner)
        state = inner
    return lines


# -- greenlua's (vm/runtime.h, vm/thread.h, greenc/hub/task.h) ----------------

PLACES = {1: "read on", 2: "write on", 3: "read on"}
QUEUE = 4
STATES = ("new", "ready", "running", "parked", "dead")
TEXT_BLOCK = 256  # VM_TEXT_BLOCK


def printable(text):
    """A name that tells a terminal nothing."""
    return "".join(c if c.isprintable() else "?" for c in text)


def offset_of(type_name, *fields):
    kind, offset = gdb.lookup_type(type_name), 0
    for name in fields:
        field = kind.strip_typedefs()[name]
        offset, kind = offset + field.bitpos // 8, field.type
    return offset


def live_tasks(hub):
    """Of the hub's list of all tasks, the addresses, oldest first."""
    head = hub["all"].address
    link_type = gdb.lookup_type("green_link").pointer()
    link = head.cast(link_type)["next"]
    while int(link) != int(head):
        yield int(link) - offset_of("green_task", "all")
        link = link["next"]


def deadline_of(hub, task):
    """Seconds after the last poll at which its wait ends; None: it has no deadline."""
    slot = int(task["timer"]["slot"])
    if slot == 0 or slot >> 31:
        return None
    return (int(hub["heap"]["a"][slot - 1]["due"]) - int(hub["poll_now"])) / 1e9


def wait_of(hub, task):
    place, seconds = int(task["place"]), deadline_of(hub, task)
    parts = []
    if place in PLACES:
        parts.append("%s fd %d" % (PLACES[place], int(task["at"]["fd"]["fd"])))
    elif place == QUEUE:
        parts.append("a queue at 0x%x" % int(task["at"]["queue"]))
    if seconds is not None:
        parts.append("a deadline in %.3f s" % seconds)
    return " or ".join(parts) or "a wake"


def show_thread(vm, hub, task_address):
    thread_type = gdb.lookup_type("vm_thread").pointer()
    address = task_address - offset_of("vm_thread", "task")
    thread = gdb.Value(address).cast(thread_type).dereference()
    if address == int(vm["host"]) and not int(thread["co"]):
        return
    state = STATES[int(thread["task"]["state"])]
    name = text_of(vm, int(thread["task"]["label"]))
    site = text_of(vm, int(thread["site"]))
    gdb.write("#%d thread 0x%x%s%s %s%s%s\n" % (
        int(thread["id"]), address, " (main)" if address == int(vm["main"]) else "",
        ' "%s"' % name if name else "", state,
        ": waits for " + wait_of(hub, thread["task"]) if state == "parked" else "",
        ", spawned at " + site if site else ""))
    for line in traceback(int(thread["co"])):
        gdb.write("    %s\n" % line)


def text_of(vm, number):
    """The text of a place or of a name, as vm_text_of finds it; None: it has none."""
    block, last = number // TEXT_BLOCK, vm["texts"].type.range()[1]
    if number <= 0 or block > last or not int(vm["texts"][block]):
        return None
    text = vm["texts"][block][number % TEXT_BLOCK]
    return printable(text.string("utf-8", "replace")) if int(text) else None


def evaluate(expression):
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error as err:
        raise gdb.GdbError("%s: %s" % (expression, err))


def runtime(expression):
    if not expression:
        try:
            value = gdb.parse_and_eval("'sigint.c'::sigint.g")
        except gdb.error:
            raise gdb.GdbError("this is not the command greenlua, or it was built without -g: "
                               "in a host program say where its `greenlua *` or `vm *` is")
    else:
        value = evaluate(expression)
    if int(value) == 0:
        raise gdb.GdbError("no runtime: the program has not begun, or has ended")
    target = value.type.strip_typedefs()
    name = target.target().strip_typedefs().name if target.code == gdb.TYPE_CODE_PTR else None
    if name == "greenlua":
        value = value["v"]
    elif name != "vm":
        raise gdb.GdbError("%s: a `vm *` or a `greenlua *` is wanted" % expression)
    return value.dereference()


class Threads(gdb.Command):
    """greenlua-threads [EXPRESSION]: all green threads with their Lua stacks."""

    def __init__(self):
        super().__init__("greenlua-threads", gdb.COMMAND_STACK, gdb.COMPLETE_SYMBOL)

    def invoke(self, argument, from_tty):
        vm = runtime(argument)
        hub = vm["hub"].dereference()
        gdb.write("turn %d, %d switches\n" % (int(hub["turns"]), int(hub["switches"])))
        for task in live_tasks(hub):
            show_thread(vm, hub, task)


class Traceback(gdb.Command):
    """greenlua-traceback EXPRESSION: the Lua stack of a lua_State."""

    def __init__(self):
        super().__init__("greenlua-traceback", gdb.COMMAND_STACK, gdb.COMPLETE_SYMBOL)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("greenlua-traceback EXPRESSION: a `lua_State *` is wanted")
        for line in traceback(int(evaluate(argument))):
            gdb.write("    %s\n" % line)


Threads()
Traceback()
