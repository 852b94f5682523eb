--- What a child's standard input, output and error are, and what of that is ours. Private to
-- green.process.

local core = require "green.core"
local args = require "green.args"
local background = require "green.thread.background"
local class = require "green.args.class"
local errors = require "green.error"
local options = require "green.args.options"
local pipe = require "green.pipe"
local stdio = require "green.stdio"
local stream = require "green.stream"

local api = require "green.ffi.pipe"
local ffi = require "ffi"

local READ, WRITE = stream.READ, stream.WRITE
local NULL = ffi.C.GREEN_CHILD_NULL
local FD_MOST = 2 ^ 31 - 1
local EOPNOTSUPP = core.codes.EOPNOTSUPP

local M = {}

local number = ffi.new("int32_t[1]")
local words = { pipe = true, null = true, inherit = true, stdout = true }
local names = { [0] = "stdin", "stdout", "stderr" }

--- Take back what was made for a child that is none.
function M.undo(w)
  M.finish(w)
  for _, one in pairs(w.ours) do
    one:close()
  end
end

--- The child has its copies: what was only for it goes.
function M.finish(w)
  for i = 1, w.n do
    api.drop(w.lent[i])
  end
  w.n = 0
end

--- There is room for it: the number would be lost where there is no memory.
local function lent(w, fd)
  w.n = w.n + 1
  w.lent[w.n] = fd
  return fd
end

-- -- Ways ---------------------------------------------------------------------

--- A pipe between us and the child's number i; our end. Nil, code.
local function put_pipe(w, i)
  local p = pipe._handle()
  local status = api.half(p, i == 0 and WRITE or READ, number)
  if status < 0 then
    return nil, status
  end
  w.fds[i] = lent(w, number[0])
  return pipe._wrap(p)
end

--- Copy a stream of the script's to the child's input, or its output to it: in a thread of
-- ours, until one of them ends.
local function copy(from, to, is_input)
  for chunk in function() return from:read_some() end do
    if not to:write(chunk) then
      break
    end
  end
  if is_input then
    to:close()
  else
    from:close()
  end
end

--- Any other stream: through a pipe.
local function put_stream(w, i, other)
  local ours, code = put_pipe(w, i)
  if not ours then
    return nil, code
  end
  w.ours[#w.ours + 1] = ours
  w.copies[#w.copies + 1] = i == 0 and { other, ours, true } or { ours, other, false }
  return true
end

--- A pipe or a terminal of the script's: the child gets it itself, made to wait.
local function put_own(w, i, p)
  local status = api.lend(p._p, number)
  if status == EOPNOTSUPP then
    return put_stream(w, i, p)
  elseif status < 0 then
    return nil, status
  end
  w.fds[i] = lent(w, number[0])
  return true
end

local function put_file(w, i, file, where)
  if io.type(file) ~= "file" then
    args.misuse("%s: %s is a closed file", where, names[i])
  end
  file:flush()
  w.fds[i] = core.file_number(file)
  return true
end

--- A file of green.fs: the child gets it itself, where it stands. Copied, what the child wrote
-- could still be on its way when the file is closed.
local function put_fs_file(w, i, file, where)
  local fd = file:fileno()
  if not fd then
    args.misuse("%s: %s is a closed file", where, names[i])
  end
  w.fds[i] = fd
  return true
end

--- Is it one? Where green.fs was never asked for, nothing is.
local function is_fs_file(value)
  local mt = class.all["green.file"]
  return mt ~= nil and class.is(value, mt)
end

local function put_word(w, i, word, where)
  if word == "null" then
    w.fds[i] = NULL
  elseif word == "inherit" then
    w.inherits = w.inherits or i > 0
    w.fds[i] = i
  elseif word == "stdout" and i == 2 then
    w.fds[2] = w.fds[1]
  elseif word == "pipe" then
    local ours, code = put_pipe(w, i)
    w.ours[names[i]] = ours
    return ours, code
  else
    options.unknown(names[i], word, words, where)
  end
  return true
end

local function put(w, i, value, where)
  if type(value) == "string" then
    return put_word(w, i, value, where)
  elseif type(value) == "number" then
    w.fds[i] = args.integer(value, 0, where, names[i], FD_MOST)
    return true
  elseif io.type(value) then
    return put_file(w, i, value, where)
  elseif class.is(value, pipe._class) then
    return put_own(w, i, value)
  elseif is_fs_file(value) then
    return put_fs_file(w, i, value, where)
  elseif stream.is_stream(value) then
    return put_stream(w, i, value)
  end
  args.wrong(where, names[i], "a word, a number, a file or a stream", value)
end

-- -- A terminal ------------------------------------------------------------------

local function put_terminal(w, opts, where)
  local pty, rows, cols = opts.pty, 24, 80
  if opts.stdin ~= nil or opts.stdout ~= nil or opts.stderr ~= nil then
    args.misuse("%s: with a pty, stdin, stdout and stderr are the terminal", where)
  end
  if type(pty) == "table" then
    options.check(pty, { rows = true, cols = true }, where)
    rows = pty.rows == nil and rows or args.integer(pty.rows, 1, where, "pty.rows", 65535)
    cols = pty.cols == nil and cols or args.integer(pty.cols, 1, where, "pty.cols", 65535)
  elseif pty ~= true then
    args.wrong(where, "pty", "true or a table", pty)
  end
  local p = pipe._handle()
  local status = api.terminal(p, rows, cols, number)
  if status < 0 then
    return nil, status
  end
  w.ours.pty = pipe._wrap(p)
  local fd = lent(w, number[0])
  w.fds[0], w.fds[1], w.fds[2] = fd, fd, fd
  return true
end

local function put_all(w, opts, defaults, where)
  for i = 0, 2 do
    local value = opts[names[i]]
    if value == nil then
      value = defaults[names[i]]
    end
    local ok, code = put(w, i, value, where)
    if not ok then
      return nil, code
    end
  end
  return true
end

--- Check and make what the options say.
-- @treturn table `fds` from 0, `ours`: stdin, stdout, stderr or pty; or nil, err. Raises
-- where an option is wrong, and leaves nothing
function M.new(opts, defaults, where)
  local w = { fds = {}, lent = { 0, 0, 0 }, n = 0, ours = {}, copies = {} }
  local called, ok, code
  if opts.pty then
    called, ok, code = pcall(put_terminal, w, opts, where)
  else
    called, ok, code = pcall(put_all, w, opts, defaults, where)
  end
  if called and ok then
    return w
  end
  M.undo(w)
  if not called then
    error(ok, 0)
  end
  return nil, errors.new(code, where)
end

--- Write what we have queued for our own output: what the child writes there comes after it.
function M.flush(w)
  if w.inherits then
    stdio.flush_now()
    stdio.raw.file.flush(io.stdout)
  end
end

--- Begin to copy. The threads that write the child's input: they are of no use when it has
-- ended.
function M.start(w)
  local writers = {}
  for _, one in ipairs(w.copies) do
    local t = core.spawn(copy, one[1], one[2], one[3])
    background[t] = true
    writers[#writers + 1] = one[3] and t or nil
  end
  return writers
end

return M
