--- Threads of the library's own that nobody waits for: green.wait passes over them.
--
-- thread -> true. Such a thread does nothing that a program would miss, and ends by itself
-- when there is nothing left for it to do.
-- @module green.thread.background

return setmetatable({}, { __mode = "k" })
