--- Reads lines, runs them, prints what they give, while other threads run.
--
-- Each statement runs in a green thread of its own, so Ctrl-C can end it and
-- leave the rest alone. On a terminal libedit edits the line, if it is there.
-- @module green.cmd.repl

local core = require "green.core"
local args = require "green.args"
local completion = require "green.backdoor.completion"
local compile = require("green.backdoor.statement").compile
local lines = require "green.cmd.repl_lines"
local options = require "green.args.options"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, pcall, rawget, unpack = error, pcall, rawget, unpack
local format = string.format
local _G = _G
local complain, text_of = core.complain, thread.text_of

local EINTR, EDEADLOCK = core.codes.EINTR, core.codes.EDEADLOCK

local M = { compile = compile }

-- -- Running ------------------------------------------------------------------

--- Wait for a statement's end; Ctrl-C kills it. Parks.
local function wait_for(statement)
  local status = core.park(statement)
  while status ~= 0 do
    if status == EINTR then
      statement:kill_soon()
    elseif status == EDEADLOCK then
      statement:throw(thread.deadlock_error())
    else
      return thread.failed(status, "wait")
    end
    if core.is_dead(statement) then
      return
    end
    status = core.park(statement)
  end
end

local function print_results(results)
  if results and results.n > 0 then
    local ok, err = pcall(rawget(_G, "print"), unpack(results, 1, results.n))
    if not ok then
      complain(format("error calling 'print' (%s)\n", text_of(err)))
    end
  end
end

local function run(chunk)
  local statement = core.spawn(chunk)
  wait_for(statement)
  local data = core.data(statement)
  if core.state(statement) == "killed" then
    complain("interrupted\n")
  elseif data.error ~= nil or data.error_is_nil then
    complain(thread.describe(statement) .. "\n")
  else
    print_results(data.results)
  end
end

local function prompt(name, default)
  local text = rawget(_G, name)
  return text == nil and default or text_of(text)
end

local function complete(text)
  return completion.words(text, _G)
end

--- A whole statement: as many lines as it takes. Parks.
-- @return its chunk; nil at the end of input; false when there is nothing to run
local function read_statement(source)
  local line, why = source:read(prompt("_PROMPT", "> "), complete)
  local text = line
  while line do
    local chunk, message, is_incomplete = compile(text)
    if chunk then
      return chunk
    elseif not is_incomplete then
      complain(message .. "\n")
      return false
    end
    line, why = source:read(prompt("_PROMPT2", ">> "), complete)
    text = line and text .. "\n" .. line
  end
  if why then
    return false
  end
  return nil
end

local known = { listen = true, no_env = true }

--- Read and run statements until the end of input. Parks.
-- @tparam[opt] table opts `listen` a function of the command's: it makes Ctrl-C
-- wake a thread instead of killing main; `no_env` is there: the environment does not
-- say where the history is
function M.run(opts)
  opts = options.check(opts, known, "repl.run")
  if opts.listen ~= nil then
    args.callable(opts.listen, "repl.run", "listen")
  end
  local stdio = require "green.stdio"
  stdio.install()
  _G.green = rawget(_G, "green") or require "green"
  local source = lines.open(stdio, opts.no_env)
  local me, listen = core.current(), opts.listen or function() end
  local ok, err = pcall(function()
    repeat
      listen(me) -- the next Ctrl-C is a first one again
      local chunk = read_statement(source)
      if chunk then
        run(chunk)
      end
    until chunk == nil
  end)
  listen(nil)
  source:close()
  if not ok then
    error(err, 0)
  end
end

return M
