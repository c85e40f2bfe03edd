"""gdb: the tasks of a program that uses libcosched, live or on a core file.

    cosched tasks             every live task: where it belongs, what it waits for and since when
    cosched bt INDEX... | all   back traces of tasks, suspended or running; equal ones are shown once
    cosched select INDEX      gdb's own bt, frame, up, info locals ... show that task; without INDEX: the thread again
    cosched workers           the executors: MAIN, workers, threads of BLOCKING tasks, and what each runs

Nothing is called in the program and no register is written: a suspended task is shown by an unwinder that says of the
selected thread's innermost frame that it was called by the task. So a core file will do. The layout comes from the debug
information of the library; without that, the commands say so.

A program that is linked with libcosched.so finds this file by itself (see "auto-load" in gdb's manual); with the static
library, say "source" and its path.
"""
import struct
import time

import gdb
from gdb.unwinder import Unwinder, register_unwinder

CHUNK = 4096  # control blocks read at once
DEPTH = 256  # frames of a back trace
FREE_WHO = (0xFFFFFFFF, 0xFFFFFFFC)  # COS_JOIN_DONE, COS_JOIN_ZOMBIE: it has ended
PARKING, PARKED = 1, 2  # enum cos_wait_phase
TASK_BODY = 1  # enum cos_task_kind
STACK_MAX = 8 << 20


def evaluate(text):
    try:
        return gdb.parse_and_eval(text)
    except gdb.error as error:
        raise gdb.GdbError(f"no debug information of libcosched here, or not yet loaded: {error}")


def static(name):
    symbol = gdb.lookup_static_symbol(name) or gdb.lookup_global_symbol(name)
    if symbol is None:
        raise gdb.GdbError("no debug information of libcosched here, or not yet loaded")
    return symbol.value()


def symbol_of(address):
    """name, name+12 or 0x... of a code address."""
    text = gdb.execute(f"info symbol {address:#x}", to_string=True)
    if text.startswith("No symbol"):
        return f"{address:#x}"
    return text.split(" in section ")[0].replace(" + ", "+")


def text_at(pointer):
    """A task's name: borrowed static storage, so most likely there. Control characters are for nobody's terminal."""
    if int(pointer) == 0:
        return ""
    try:
        raw = pointer.cast(gdb.lookup_type("char").pointer()).string(errors="replace", length=-1)
    except gdb.error:
        return "?"
    charset = gdb.host_charset()
    return "".join(c if c.isprintable() else "?" for c in raw[:40]).encode(charset, "replace").decode(charset)


class Machine:
    """What of a context is saved where: arch/context_*.S."""

    def __init__(self, names):
        self.pc, self.sp = names

    def caller(self, context):
        """Registers of the flow that a context will resume, as its unwinder would find them."""
        raise NotImplementedError


class X86(Machine):
    def caller(self, context):
        return {"rip": int(context["pc"]), "rsp": int(context["sp"]), "rbp": int(context["bp"])}


class Aarch64(Machine):
    FRAME = 160

    def caller(self, context):
        sp = int(context["sp"])
        saved = struct.unpack("<12Q", bytes(gdb.selected_inferior().read_memory(sp, 96)))
        registers = {"pc": saved[1], "sp": sp + self.FRAME, "x29": saved[0], "x30": saved[1]}
        registers.update({f"x{19 + i}": saved[2 + i] for i in range(10)})
        return registers


def machine():
    name = gdb.selected_inferior().architecture().name()
    if name.startswith("i386:x86-64"):
        return X86(("rip", "rsp"))
    if name.startswith("aarch64"):
        return Aarch64(("pc", "sp"))
    raise gdb.GdbError(f"back traces of suspended tasks are not known on {name}")


class Elsewhere(Unwinder):
    """Says of one frame, the innermost of the selected thread, that the chosen flow called it. Its identity lies below every
    stack, so that gdb does not take a caller at a lower address for a corrupt stack."""

    class Identity:
        def __init__(self, sp, pc):
            self.sp, self.pc = sp, pc

    def __init__(self):
        super().__init__("cosched")
        self.machine = None
        self.where = None  # (pc, sp) of the frame
        self.registers = None

    def __call__(self, pending):
        if self.registers is None:
            return None
        pc, sp = (pending.read_register(r) for r in (self.machine.pc, self.machine.sp))
        if (int(pc), int(sp)) != self.where:
            return None
        info = pending.create_unwind_info(self.Identity(gdb.Value(16).cast(sp.type), pc))
        for name, value in self.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(pending.read_register(name).type))
        return info

    def set(self, registers):
        """None: the thread itself again."""
        self.registers = None
        gdb.invalidate_cached_frames()
        if registers is None:
            return
        self.machine = machine()
        top = gdb.newest_frame()
        self.where = (int(top.read_register(self.machine.pc)), int(top.read_register(self.machine.sp)))
        self.registers = registers
        gdb.invalidate_cached_frames()

    def first(self):
        """The innermost frame of the flow that was set."""
        wanted = (self.registers[self.machine.pc], self.registers[self.machine.sp])
        frame = gdb.newest_frame()
        while frame is not None:
            if (int(frame.read_register(self.machine.pc)), int(frame.read_register(self.machine.sp))) == wanted:
                return frame
            frame = frame.older()
        raise gdb.GdbError("gdb does not follow into the task")


elsewhere = Elsewhere()
register_unwinder(None, elsewhere, replace=True)


class Task:
    def __init__(self, value, generation, word):
        self.value = value
        self.index = int(value["index"])
        self.generation = generation
        self.word = word
        self.fiber = value["fiber"]
        self.name = text_at(value["name"])
        self.function = symbol_of(int(value["fn"]))
        self.affinity = {1: "MAIN", 2: "WORKER", 3: "own thread"}.get(int(value["affinity"]), "?")
        self.state, self.waits, self.since, self.executor = "", "", 0, None

    def title(self):
        name = f" \"{self.name}\"" if self.name else ""
        waits = f": waits for {self.waits}" if self.waits else ""
        return f"task {self.index}{name} of {self.function}, {self.affinity}, {self.state}{waits}"


class Look:
    """One look at the stopped program."""

    def __init__(self):
        self.runtime = static("the_runtime")
        self.blocks = evaluate("cos_task_blocks")
        self.used = int(evaluate("cos_tasks_used"))
        self.reason_names = {f.enumval: f.name[len("COSCHED_FOR_"):].lower().replace("_", " ")
                             for f in gdb.lookup_type("cosched_reason").fields()}
        self.stacks = self.thread_stacks()
        self.executors = list(self.find_executors())
        self.running = {int(e["running"]): e for e in self.executors if int(e["running"])}

    def thread_stacks(self):
        """(thread, sp) of each thread. Goes through the threads, and back."""
        elsewhere.set(None)
        kept = gdb.selected_thread()
        pairs = []
        for thread in gdb.selected_inferior().threads():
            try:
                thread.switch()
                pairs.append((thread, int(gdb.newest_frame().read_register("sp"))))
            except gdb.error:
                pass
        if kept is not None:
            kept.switch()
        return pairs

    def find_executors(self):
        if int(self.runtime) == 0:
            return
        table = self.runtime["execs"]
        for i in range(table.type.range()[1] + 1):
            if int(table[i]):
                yield table[i].dereference()

    def blocks_alive(self):
        """(index, generation) of the blocks that are tasks: as may_live and cos_look_at of look.c."""
        if int(self.blocks) == 0:
            return
        size = self.blocks.dereference().type.sizeof
        join, refs, kind = (int(evaluate(f"(unsigned long)&((struct cos_task *)0)->{m}")) for m in ("join", "refs", "kind"))
        inferior = gdb.selected_inferior()
        for first in range(1, self.used + 1, CHUNK):
            count = min(CHUNK, self.used + 1 - first)
            try:
                raw = bytes(inferior.read_memory(int(self.blocks) + first * size, count * size))
            except gdb.MemoryError:
                continue
            for i in range(count):
                who, generation = struct.unpack_from("<II", raw, i * size + join)
                stamp, = struct.unpack_from("<I", raw, i * size + refs)
                if raw[i * size + kind] == TASK_BODY and stamp == ~generation & 0xFFFFFFFF and who not in FREE_WHO:
                    yield first + i, generation

    def tasks(self):
        tasks = {}
        for index, generation in self.blocks_alive():
            value = self.blocks[index]
            tasks[index] = Task(value, generation, int(value["wait"]["word"]))
        for task in tasks.values():
            self.find_state(task, tasks)
        return tasks

    def on_thread(self, fiber):
        """The thread that stands on the fiber's stack, or None."""
        hi, lo = int(fiber), int(fiber["stack"]["lo"])
        deep_lo = int(fiber["stack_lo"])
        for thread, sp in self.stacks:
            if lo <= sp < hi or (int(fiber["segment"]) and int(fiber) in self.running and
                                 deep_lo <= sp < deep_lo + STACK_MAX):
                return thread
        return None

    def find_state(self, task, tasks):
        if int(task.fiber) == 0:
            task.state = "not started"
            return
        base = int(task.fiber["base"]["index"])
        current = int(task.fiber["current"]["index"])
        if base in tasks:
            self.find_wait(task, tasks[base].word, base)
        if task.state:
            return
        executor = self.running.get(int(task.fiber))
        if current != task.index:
            task.state, task.waits = "waiting", f"inline #{current}"
        elif executor is not None:
            task.state, task.executor = "running", executor
        else:
            task.state = "ready"

    def find_wait(self, task, word, base):
        """The wait of a stack is that of the innermost task on it; the others wait for each other."""
        reason = task.fiber["reason"]
        stamp = int(reason["stamp"])
        phase = word >> 24 & 0xFF
        known = stamp != 0 and stamp >> 32 == word >> 32
        kind = self.reason_names.get(stamp & 0xFFFFFFFF, "something") if known else "something"
        if phase not in (PARKING, PARKED) and not (known and phase == 0 and kind == "thread"):
            return
        if phase == PARKING and not known:
            return
        task.state = "waiting"
        task.since = int(reason["since_ns"]) if known else 0
        inner = int(reason["inner"]) if known else base
        if inner != task.index:
            task.waits = f"inline #{inner}"
            return
        task.waits = kind
        target = int(reason["object"]) if known else 0
        if kind in ("task", "inline", "children"):
            task.waits += f" #{target >> 32}"
        elif kind == "blocking":
            task.waits += f" {symbol_of(target)}"
        elif target and kind not in ("time", "thread", "something"):
            task.waits += f" {target:#x}"


def now_ns(tasks):
    """(now, how sure that is). The program's clock is ours where it runs here; else the youngest wait is as near to its
    end as is known."""
    connection = gdb.selected_inferior().connection
    if connection is not None and connection.type == "native":
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC), "SINCE"
    return max((t.since for t in tasks), default=0), "AT LEAST SINCE"


def duration(ns):
    if ns < 1_000_000:
        return f"{ns // 1000}us"
    if ns < 10_000_000_000:
        return f"{ns / 1e9:.3f}s"
    return f"{ns // 1_000_000_000}s"


def print_table(titles, rows):
    widths = [max(len(str(r[i])) for r in [titles, *rows]) for i in range(len(titles) - 1)]
    for row in [titles, *rows]:
        line = "  ".join(str(c).ljust(w) for c, w in zip(row, widths))
        print(f"{line}  {row[-1]}".rstrip())


def executor_name(executor):
    kind = int(executor["kind"])
    return ("MAIN", f"worker {int(executor['id']) - 1}", f"own {int(executor['id'])}")[kind]


def frame_line(level, frame):
    name = frame.name() or "??"
    block, arguments = None, []
    try:
        block = frame.block() if frame.function() is not None else None
    except RuntimeError:
        pass
    while block is not None and block.function is None:
        block = block.superblock
    for symbol in block or ():
        if symbol.is_argument:
            try:
                arguments.append(f"{symbol.print_name}={frame.read_var(symbol).format_string(max_elements=8)}")
            except (gdb.error, ValueError):
                arguments.append(f"{symbol.print_name}=?")
    place = frame.find_sal()
    at = f" at {place.symtab.filename}:{place.line}" if place.symtab is not None else ""
    return f"#{level:<3} {frame.pc():#018x} in {name} ({', '.join(arguments)}){at}"


def back_trace(frame):
    """(pcs, lines); the same pcs are the same trace."""
    pcs, lines = [], []
    while frame is not None and len(lines) < DEPTH:
        pcs.append(frame.pc())
        lines.append(frame_line(len(lines), frame))
        try:
            frame = frame.older()
        except gdb.error as error:
            lines.append(f"     ({error})")
            break
    if frame is not None and len(lines) == DEPTH:
        lines.append("     (more)")
    return tuple(pcs), lines


class Chosen:
    """Makes gdb's frames those of a task, for a while."""

    def __init__(self, look, task):
        self.look, self.task = look, task

    def __enter__(self):
        """The innermost frame, or None: it has none."""
        self.thread = gdb.selected_thread()
        fiber = self.task.fiber
        if int(fiber) == 0:
            return None
        if self.thread is None:
            raise gdb.GdbError("no thread is selected")
        there = self.look.on_thread(fiber)
        if there is None and int(fiber) in self.look.running:
            raise gdb.GdbError(f"{executor_name(self.look.running[int(fiber)])} runs it, on another stack (of a signal)")
        if there is not None:
            there.switch()
            return gdb.newest_frame()
        elsewhere.set(machine().caller(fiber["ctx"]))
        return elsewhere.first()

    def __exit__(self, *_):
        elsewhere.set(None)
        if self.thread is not None:
            self.thread.switch()


def chosen_tasks(tasks, argument):
    words = argument.split()
    if not words:
        raise gdb.GdbError("which task? cosched tasks lists them")
    if words == ["all"]:
        return list(tasks.values())
    found = []
    for word in words:
        index = int(word, 0) if word.lstrip("#").isdigit() and not word.startswith("#") else -1
        if index < 0:
            raise gdb.GdbError(f"\"{word}\" is no index of a task")
        if index not in tasks:
            raise gdb.GdbError(f"no task {index} lives")
        found.append(tasks[index])
    return found


class Cosched(gdb.Command):
    """Look at the tasks of libcosched: cosched tasks | bt INDEX... | bt all | select [INDEX] | workers."""

    def __init__(self):
        super().__init__("cosched", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class Tasks(gdb.Command):
    """Every live task: index, name, state, what it waits for and since when, where it belongs, its function."""

    def __init__(self):
        super().__init__("cosched tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        look = Look()
        tasks = list(look.tasks().values())
        now, since_title = now_ns(tasks)
        rows = []
        for t in tasks:
            state = f"on {executor_name(t.executor)}" if t.executor is not None else t.state
            since = duration(max(0, now - t.since)) if t.since else ""
            rows.append((t.index, t.name or "-", state, t.waits or "-", since, t.affinity, t.function))
        print_table(("INDEX", "NAME", "STATE", "WAITS FOR", since_title, "AFFINITY", "FUNCTION"), rows)


class BackTrace(gdb.Command):
    """Back traces of tasks, given by their indices, or of all. Equal ones are shown once."""

    def __init__(self):
        super().__init__("cosched bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        look = Look()
        traces = {}
        for task in chosen_tasks(look.tasks(), argument):
            try:
                with Chosen(look, task) as frame:
                    pcs, lines = back_trace(frame)
            except gdb.GdbError as error:
                pcs, lines = (task.index, ), [f"     ({error})"]
            key = pcs or ("not started", task.index)
            traces.setdefault(key, (lines or ["     (not started: no stack)"], []))[1].append(task)
        for lines, tasks in traces.values():
            for task in tasks:
                print(task.title())
            print("\n".join(lines) + "\n")


class Select(gdb.Command):
    """From now on bt, frame, up, info locals ... show this task, below the frame that the thread is really in. Without an
    index, or when the program goes on: the thread itself again."""

    def __init__(self):
        super().__init__("cosched select", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        elsewhere.set(None)
        if not argument.strip():
            return
        look = Look()
        task = chosen_tasks(look.tasks(), argument)[0]
        there = look.on_thread(task.fiber) if int(task.fiber) else None
        if there is not None:
            there.switch()
        elif int(task.fiber) == 0:
            raise gdb.GdbError("it has not started: it has no stack")
        else:
            elsewhere.set(machine().caller(task.fiber["ctx"]))
            elsewhere.first().select()
        print(task.title())


class Workers(gdb.Command):
    """The executors, the threads that they are, and what each runs."""

    def __init__(self):
        super().__init__("cosched workers", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        look = Look()
        if int(look.runtime) == 0:
            raise gdb.GdbError("no runtime exists")
        rows = []
        for e in look.executors:
            task, thread = "-", self.thread_of(look, e)
            if int(e["running"]):
                current = e["running"]["current"]
                task = f"{int(current['index'])} {text_at(current['name']) or symbol_of(int(current['fn']))}"
            depth = int(e["deque"]["bottom"]) - int(e["deque"]["top"])
            counts = [int(e["count"][c]) for c in ("slices", "steals")]
            rows.append((executor_name(e), f"{thread.num} ({thread.ptid[1]})" if thread else "?", max(0, depth), *counts, task))
        print_table(("EXECUTOR", "THREAD", "IN LINE", "SLICES", "STEALS", "RUNS"), rows)

    @staticmethod
    def thread_of(look, executor):
        """By the stack of what it runs; in its loop, by the executor that its thread-local names, where gdb reads those."""
        if int(executor["running"]):
            there = look.on_thread(executor["running"])
            if there is not None:
                return there
        kept, found = gdb.selected_thread(), None
        symbol = gdb.lookup_static_symbol("current_exec")
        for thread, _ in look.stacks:
            thread.switch()
            try:
                if symbol is not None and int(symbol.value(gdb.newest_frame())) == int(executor.address):
                    found = thread
                    break
            except (gdb.error, TypeError):
                pass
        kept.switch()
        return found


for command in (Cosched, Tasks, BackTrace, Select, Workers):
    command()


# What was chosen is true only while the program stands still.
def goes_on(_event):
    elsewhere.registers = None


gdb.events.cont.connect(goes_on)
