--- Every option of libzmq's contexts, of the form that green.zmq.options has. All are ints for
-- libzmq.
--
-- Those that say `early` count for the threads that libzmq starts with a context's first socket.
-- @module green.zmq.context_options

return {
  io_threads = { number = 1, kind = "int", read = true, write = true, early = true, max = 1024 },
  max_sockets = { number = 2, kind = "int", read = true, write = true, early = true, min = 1,
    max = 65535 },
  socket_limit = { number = 3, kind = "int", read = true, write = false },
  thread_priority = { number = 3, kind = "int", read = false, write = true, early = true,
    max = 99 },
  thread_sched_policy = { number = 4, kind = "int", read = false, write = true, early = true,
    max = 6 },
  max_msgsz = { number = 5, kind = "int", read = true, write = true },
  msg_t_size = { number = 6, kind = "int", read = true, write = false },
  thread_affinity_cpu_add = { number = 7, kind = "int", read = false, write = true, early = true,
    max = 1023 },
  thread_affinity_cpu_remove = { number = 8, kind = "int", read = false, write = true, early = true,
    max = 1023 },
  thread_name_prefix = { number = 9, kind = "int", read = true, write = true, early = true },
  zero_copy_recv = { number = 10, kind = "bool", read = true, write = true },
  ipv6 = { number = 42, kind = "bool", read = true, write = true },
  blocky = { number = 70, kind = "bool", read = true, write = true },
}
