--- What -j, -O and -b want of LuaJIT's compiler: its own modules jit.*, where they are
-- installed. Each gives nil, or a message. Private to green.cmd.cli, which loads it before
-- anything of the script's runs.
-- @module green.cmd.compiler

-- LUA_INIT and the first steps may put their own in their places.
local error, pcall, require, type, unpack = error, pcall, require, type, unpack
local find, gmatch, jit, match = string.find, string.gmatch, jit, string.match

local M = {}

--- The words of a text between commas.
local function words_of(text)
  local words = {}
  for word in gmatch(text, "[^,]+") do
    words[#words + 1] = word
  end
  return words
end

--- Call `start` of one of LuaJIT's modules. That a module is not there Lua's require says in its
-- text only.
local function start(name, option, words)
  local ok, module = pcall(require, "jit." .. name)
  if ok and type(module) == "table" and module.start then
    module.start(unpack(words))
  elseif ok or find(module, "module 'jit." .. name .. "' not found", 1, true) then
    return option .. ": no such command, or LuaJIT's modules jit.* are not installed "
      .. "(no module 'jit." .. name .. "')"
  else
    error(module, 0)
  end
end

--- -j: "on", "off", "flush" are functions of `jit`; "dump=im,file" is a module.
function M.command(text)
  local name, words = match(text, "^([^=]*)=?(.*)$")
  if type(jit[name]) == "function" then
    jit[name](unpack(words_of(words)))
    return nil
  end
  return start(name, "-j" .. name, words_of(words))
end

--- -O: behind the library's own settings, which come once.
function M.optimize(text)
  require("green.patch.jit").install()
  local ok, message = pcall(require("jit.opt").start, unpack(words_of(text)))
  return not ok and "-O" .. text .. ": " .. message or nil
end

--- -b: write bytecode, by its words.
function M.save(words)
  return start("bcsave", "-b", words)
end

return M
