--- A log: where its lines go, how they look, and the loggers that it has by name.
-- @module green.log.tree

local args = require "green.args"
local channels = require "green.log.channel"
local json = require "green.args.json"
local keys = require "green.log.keys"
local levels = require "green.log.level"
local options = require "green.args.options"
local sinks = require "green.log.sink"
local stdfd = require "green.patch.stdio.stdfd"

-- Scripts may put their own in their places.
local getenv, ipairs, io_type, pairs, setmetatable, type =
  os.getenv, ipairs, io.type, pairs, setmetatable, type
local format, match, upper = string.format, string.match, string.upper
local stderr, stdout = io.stderr, io.stdout

local M = {}

local defaults = { level = "info", levels = {}, format = "console", output = true, colors = "auto",
  redact = {}, depth = 6, max_text = 16384, max_items = 100 }

local known = {}
for name in pairs(defaults) do
  known[name] = true
end

local COLORS = { "2", "36", "32", "33", "31" }

-- -- Options ------------------------------------------------------------------

local function check_redact(value, where)
  if value == false then
    return false
  end
  args.list(value, where, "redact", "names")
  for _, name in ipairs(value) do
    args.type(name, "string", where, "a name in redact")
  end
  return value
end

local function check_output(value, where)
  local kind = type(value)
  local good = value == true or kind == "string" and value ~= "" or kind == "function"
    or kind == "table" or kind == "userdata" or kind == "cdata"
  if not good then
    args.wrong(where, "output", "true, a path, a function, an object with write or a list", value)
  end
  local item = sinks.no_line_of(value)
  if item ~= nil then
    args.misuse("%s: a list as output gets the lines, and this one has %s in it; a function can "
      .. "write to several places", where, args.shown(item))
  end
  return value
end

local checks = {
  level = function(v, where) return levels.number(v, where, "level") end,
  levels = levels.table,
  format = function(v, where)
    if v ~= "console" and v ~= "json" then
      args.wrong(where, "format", '"console" or "json"', v)
    end
    return v
  end,
  output = check_output,
  colors = function(v, where)
    if v ~= "auto" and type(v) ~= "boolean" then
      args.wrong(where, "colors", 'true, false or "auto"', v)
    end
    return v
  end,
  redact = check_redact,
  depth = function(v, where) return args.integer(v, 1, where, "depth", 100) end,
  max_text = function(v, where) return args.integer(v, 16, where, "max_text", 262144) end,
  max_items = function(v, where) return args.integer(v, 1, where, "max_items", 100000) end,
}

--- Options, checked, upon those that were there. Raises misuse.
function M.read(opts, where, before)
  opts = options.check(opts, known, where)
  local o = {}
  for name, default in pairs(defaults) do
    if opts[name] ~= nil then
      o[name] = checks[name](opts[name], where)
    elseif before then
      o[name] = before[name]
    else
      o[name] = checks[name](default, where)
    end
  end
  return o
end

-- -- Colours ------------------------------------------------------------------

--- Is it a terminal, and has nobody asked for none (no-color.org)?
local function wants_colors(o)
  if o.colors ~= "auto" then
    return o.colors
  elseif (getenv("NO_COLOR") or "") ~= "" or getenv("TERM") == "dumb" then
    return false
  end
  local file = o.output == true and stderr or o.output
  if io_type(file) ~= "file" or file ~= stderr and file ~= stdout then
    return false
  end
  local stream = stdfd.stream_of(file)
  return stream and stream.is_tty or false
end

-- -- Heads --------------------------------------------------------------------

local function head_of(self, name, number)
  local level = levels.names[number]
  if self.is_json then
    local logger = name ~= "" and ',"logger":' .. json.quote(name) or ""
    return format('","level":"%s"%s,"message":', level, logger)
  end
  local text = format("%-5s", upper(level))
  if self.colors then
    text = format("\27[%sm%s\27[0m", COLORS[number], text)
  end
  local shown = name ~= "" and match(json.quote(name), '^"(.*)"$') .. ": " or ""
  return format(" %s %s", text, shown)
end

--- Give the loggers of a name what follows from the options.
local function describe(self, at)
  local o = self.options
  at.least = levels.of(self.env, at.name) or levels.of(o.levels, at.name) or o.level
  at.heads = {}
  for number = 1, 5 do
    at.heads[number] = head_of(self, at.name, number)
  end
end

--- What the loggers of a name share.
function M.at(self, name)
  local at = self.names[name]
  if not at then
    at = { name = name, least = 6, heads = {}, set = false }
    self.names[name] = at
    describe(self, at)
  end
  return at
end

--- Set a name's level, for it and for those below it; nil: back to what the options say.
function M.set_level(self, name, number)
  self.options.levels[name] = number
  for _, at in pairs(self.names) do
    describe(self, at)
  end
  self.on_change()
end

-- -- Logs ---------------------------------------------------------------------

--- Use these options, which were checked, from now on. nil, err: a file could not be opened;
-- then nothing has changed.
function M.apply(self, o)
  if not self.channel or o.output ~= self.options.output then
    local channel = channels.new(o.output)
    local ok, err = true, nil
    if channel.sink.open then
      ok, err = channel.sink.open()
    end
    if not ok then
      return nil, err
    end
    M.close(self)
    self.channel, channel.on_begin = channel, self.on_begin
  end
  local copy = {}
  for name, level in pairs(o.levels) do
    copy[name] = level
  end
  o.levels = copy
  self.options, self.is_json = o, o.format == "json"
  self.colors = not self.is_json and wants_colors(o)
  self.depth, self.max_text, self.max_items = o.depth, o.max_text, o.max_items
  self.keys = keys.new(o.redact, self.colors)
  for _, at in pairs(self.names) do
    describe(self, at)
  end
  self.on_change()
  return self
end

--- Change options. nil, err, as apply. Raises misuse.
function M.configure(self, opts, where)
  return M.apply(self, M.read(opts, where, self.options))
end

local function nothing() end

--- A log. nil, err, as apply. Raises misuse. `on_begin` is called before lines are written; its
-- field `on_change` is called when options have changed, or its file was to be opened anew.
-- @tparam table env levels that stand above what the options say
function M.new(opts, where, env, on_begin)
  local o = M.read(opts, where)
  local self = { names = setmetatable({}, { __mode = "v" }), env = env, on_begin = on_begin,
    left_out = 0, lost = 0, on_change = nothing }
  return M.apply(self, o)
end

--- Write what waits, and let go of a file. Does not park; what a sink that may wait has not
-- taken is written behind this.
function M.close(self)
  local channel = self.channel
  if channel and channel:push() and channel.sink.close then
    channel.sink.close()
  end
end

--- Let the file be opened anew at the next line, after it was renamed. Does not park.
function M.reopen(self)
  self.channel:push()
  if self.channel.sink.reopen then
    self.channel.sink.reopen()
  end
  self.on_change()
end

return M
