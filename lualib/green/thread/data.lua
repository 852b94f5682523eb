--- The fields of a green thread's own table, and what each is.
--
-- `core.data(thread)` gives that table, and makes it for a thread that has none;
-- `core.peek(thread)` only looks. A thread that is used again for something else gets a
-- fresh one (core.reset). C reads and writes it in vm/data.c alone, and has "C" below.
-- No other field is used: spec/thread/data_spec.lua reads the sources.
-- @module green.thread.data

return {
  -- What it is.
  name = "a string: what it was called by thread:name",
  parent = "C reads it: the thread that spawned it, with spawn_after_local",
  locals = "its values of each thread_local: proxy -> table",
  context = "C hands it to the threads that this one spawns: green.thread.context",
  carried = "what its jobs in native threads bring, packed: green.thread.carry",

  -- What cancels it.
  kill_error = "C reads it: what a kill raises, always the same",
  guard = "what abandons it when it outlives its kill: { guard = thread }, an exits record",
  thrown = "the error that its next wait raises, once: of thread:throw, or of a Timeout "
    .. "that another thread cancelled when it was about to raise",
  refusal = "C: a text, why the wait in a coroutine of the script's that ends now could not be",

  -- Who hears of its end.
  links = "green.thread.links: functions of thread:link",
  watchers = "green.thread.watchers: functions of green.wait",
  tells = "C: the dead thread whose error this one was made to report",

  -- What it ended with.
  results = "C: what its function returned, a list with the count n",
  error = "C: what it raised, or was killed with before it ran",
  error_is_nil = "C: true, after error(nil)",
  traceback = "C: a text, where its coroutine stood when it raised",
  inner = "where an error was raised first that is raised anew: { error =, traceback = }",
  cause = "which thread it has its error from: { error =, thread = }",
}
