-- Whatever a script makes of Lua's own functions and of its error objects, its error
-- is told, with status 1, and neither the process nor a host is brought down.

local program = require "spec.support.program"

--- What a script may do. All that follows it is compiled before.
local damages = {
  ["tostring = nil"] = "tostring = nil",
  ["a tostring that raises"] = "tostring = function() error('t') end",
  ["a tostring that gives a table"] = "tostring = function() return {} end",
  ["io = nil"] = "io = nil",
  ["no io.stderr"] = "io.stderr = nil",
  ["an empty io"] = "for k in pairs(io) do io[k] = nil end",
  ["files without methods"] = [[
    local m = getmetatable(io.stderr).__index
    for k in pairs(m) do m[k] = nil end]],
  ["os = nil"] = "os = nil",
  ["an empty os"] = "for k in pairs(os) do os[k] = nil end",
  ["error = nil"] = "error = nil",
  ["no pcall, no xpcall"] = "pcall, xpcall = nil",
  ["string = nil"] = "string = nil",
  ["an empty string library"] = "for k in pairs(string) do string[k] = nil end",
  ["strings without methods"] = "getmetatable('').__index = nil",
  ["an empty table library"] = "for k in pairs(table) do table[k] = nil end",
  ["debug = nil"] = "debug = nil",
  ["a debug.traceback that raises"] = "debug.traceback = function() error('d') end",
  ["package = nil"] = "package = nil",
  ["an empty package.loaded"] = "for k in pairs(package.loaded) do package.loaded[k] = nil end",
  ["lies in package.loaded"] = [[
    for k in pairs(package.loaded) do
      package.loaded[k] = setmetatable({}, { __index = function() error('l') end })
    end]],
  ["require = nil"] = "require = nil",
  ["no type, no select"] = "type, select, unpack, ipairs, pairs, next, rawget = nil",
  ["strict globals"] = [[
    setmetatable(_G, { __index = function() error('g') end })
    tostring, io = nil]],
  ["no globals"] = "local G = _G for k in pairs(G) do G[k] = nil end",
}

--- Error objects, which say "the real one" if they can.
local objects = {
  ["raises"] = "function() raise('x') end",
  ["gives a table"] = "function() return {} end",
  ["gives nil"] = "function() end",
  ["is no function"] = "7",
  ["raises itself"] = "function(e) raise(e) end",
  ["asks itself"] = "function(e) local s = str(e) return s end",
  ["yields"] = "function() coroutine.yield() return 'x' end",
  ["waits"] = "function() require('green').sleep(0.001) return 'x' end",
}

--- With %s for the damage; `raise` is Lua's error, kept in time.
local ends = {
  ["main, without the library"] = "local raise = error %s raise('the real one', 0)",
  ["main"] = "local raise, green = error, require 'green' %s raise('the real one', 0)",
  ["a runtime error in main"] = "local green = require 'green' %s local the_real_one = nil + 1",
  ["a thread that main waits for"] = [[
    local raise, green = error, require 'green'
    local t = green.spawn(function() %s raise('the real one', 0) end)
    t:wait()]],
  ["a coroutine"] = [[
    local raise, green = error, require 'green'
    coroutine.wrap(function() %s raise('the real one', 0) end)()]],
  ["finally"] = [[
    local raise, green = error, require 'green'
    green.finally(function() %s raise('the real one', 0) end, function() end)]],
  ["a timeout"] = [[
    local raise, green = error, require 'green'
    green.timeout(10, function() %s raise('the real one', 0) end)]],
  ["a module"] = [[
    local raise, green = error, require 'green'
    package.preload.m = function() %s raise('the real one', 0) end
    require "m"]],
  ["a deadlock"] = [[
    local event = require('green').Event()
    %s event:wait()]],
}

local function told(p, code)
  assert.is_nil(p.signal, p.err)
  assert.is_nil(p.err:find("PANIC", 1, true), code .. "\n" .. p.err)
  assert.equal(1, p.status, code .. "\n" .. p.err)
  local text = p.err:find("the real one", 1, true) or p.err:find("deadlock:", 1, true)
    or p.err:find("arithmetic on a nil value", 1, true)
  assert.is_truthy(text, code .. "\n" .. p.err)
end

for damage, code in pairs(damages) do
  describe("after " .. damage, function()
    for what, text in pairs(ends) do
      it("the end by " .. what .. " is told", function()
        local script = text:gsub("%%s", function() return code end)
        told(program.run_greenlua { "-e", script }, script)
      end)
    end

    it("a thread's unheard error is told, and the program goes on", function()
      local p = program.run_greenlua { "-e", ([[
        local raise, green, write, exit = error, require 'green', io.write, os.exit
        local sleep, spawn = green.sleep, green.spawn
        spawn(function() %s raise('the real one', 0) end)
        sleep(0.001)
        write('on')
        exit(3)]]):gsub("%%s", function() return code end) .. "" }
      assert.equal(3, p.status, p.err)
      assert.equal("on", p.out)
      assert.is_truthy(p.err:find("unhandled error in green thread", 1, true), p.err)
      assert.is_truthy(p.err:find("the real one", 1, true), p.err)
    end)

    it("the REPL's next prompt comes", function()
      local p = program.run_greenlua { "-i", input = "raise = error\n" .. code:gsub("\n", " ")
        .. "\nlocal x = nil + 1\n)\n1, 2\n" }
      assert.equal(0, p.status, p.err)
      local _, prompts = p.out:gsub("> ", "")
      assert.equal(6, prompts, p.out .. p.err)
      assert.is_truthy(p.err:find("arithmetic on a nil value", 1, true), p.err)
      assert.is_truthy(p.err:find("unexpected symbol", 1, true), p.err)
    end)
  end)
end

describe("the REPL on a terminal", function()
  for damage, code in pairs(damages) do
    it("goes on after " .. damage, function()
      local env = { GREENLUA_HISTORY = "", TERM = "dumb" }
      local p = program.start_greenlua { tty = true, env = env }
      p:expect("> ")
      p:write((code:gsub("\n", " ")) .. "\n"):expect("> ")
      p:write("local x = nil + 1\n"):expect("arithmetic on a nil value")
      p:expect("> ")
      p:write("\4"):wait()
      assert.equal(0, p.status, p.out)
    end)
  end
end)

describe("an error object whose __tostring", function()
  for what, fn in pairs(objects) do
    local prelude = "local raise, str = error, tostring "
    local object = ("setmetatable({}, { __tostring = %s, __index = function() raise('i') end })")
      :format(fn)
    for library, green in pairs { ["with"] = "require 'green' ", ["without"] = "" } do
      it(what .. " ends main with status 1, " .. library .. " the library", function()
        local p = program.run_greenlua { "-e", prelude .. green .. "error(" .. object .. ")" }
        assert.equal(1, p.status, p.err)
        assert.is_nil(p.err:find("PANIC", 1, true), p.err)
        assert.is_truthy(p.err:find("greenlua: ", 1, true), p.err)
        assert.is_truthy(p.err:find("stack traceback:", 1, true), p.err)
      end)
    end

    it(what .. " is told when nobody hears it", function()
      local p = program.run_greenlua { "-e", prelude .. [[
        local green = require 'green'
        green.spawn(error, ]] .. object .. [[)
        green.wait()
        print 'on']] }
      assert.equal("on\n", p.out)
      assert.is_truthy(p.err:find("unhandled error in green thread", 1, true), p.err)
    end)

    it(what .. " leaves the REPL its next prompt", function()
      local p = program.run_greenlua { "-i", input = prelude:gsub("local", "") .. "\nerror("
        .. object .. ")\n= " .. object .. "\nprint('on')\n" }
      assert.equal(0, p.status, p.err)
      assert.is_truthy(p.out:find("on\n", 1, true), p.out .. p.err)
    end)
  end
end)

describe("an error in handling errors", function()
  for what, code in pairs {
    ["endless recursion"] = "local function f() return 1 + f() end f()",
    ["recursion in a handler"] = "xpcall(error, function(e) error(e) end, 'x') error('last')",
    ["a finalizer that raises"] = [[
      for _ = 1, 100 do
        getmetatable(newproxy(true)).__gc = function() error('in a finalizer') end
      end
      error('last')]],
  } do
    it("ends main with status 1: " .. what, function()
      for _, green in ipairs { "", "require 'green' " } do
        local p = program.run_greenlua { "-e", green .. code }
        assert.equal(1, p.status, p.err)
        assert.is_nil(p.err:find("PANIC", 1, true), p.err)
        assert.is_truthy(p.err:find("^greenlua: "), p.err)
      end
    end)
  end
end)

describe("the end of memory", function()
  it("is told, with status 1", function()
    if program.is_sanitized then
      return pending("a sanitizer wants more address space than there may be")
    end
    for _, green in ipairs { "", "require 'green' " } do
      local p = program.run { "sh", "-c", 'ulimit -v 400000; exec "$0" -e "$1"', program.greenlua,
        green .. "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end" }
      assert.equal(1, p.status, p.err)
      assert.is_truthy(p.err:find("^greenlua: .*not enough memory"), p.err)
    end
  end)
end)

describe("Ctrl-C", function()
  it("is told from an error object that raises for its fields", function()
    local p = program.start_greenlua { "-e", [[
      local green = require 'green'
      pcall(function() print 'ready' io.flush() green.sleep(3600) end)
      error(setmetatable({}, { __index = function() error('x') end }))]] }
    p:expect("ready")
    p:kill(program.INT):wait()
    assert.equal(1, p.status, p.err)
  end)

  it("breaks a loop whatever stands in package.loaded", function()
    local p = program.start_greenlua { "-e", [[
      require 'green'
      jit.off()
      package.loaded['green.thread'] = { raise = 7 }
      io.write('ready') io.flush()
      while true do end]] }
    p:expect("ready")
    p:kill(program.INT):wait()
    assert.equal(130, p.status, p.err)
  end)
end)

describe("the log of a server", function()
  for damage, code in pairs(damages) do
    it("tells of a handler's error after " .. damage, function()
      local script = ([[
        local raise, green, wsgi = error, require 'green', require 'green.wsgi'
        local exit, write, ok = os.exit, io.write, tostring
        local listener = green.listen("127.0.0.1", 0)
        local _, port = listener:sockname()
        local function handler(env)
          if env.PATH_INFO == "/ok" then return 200, {}, "fine" end
          if env.PATH_INFO == "/object" then
            raise(setmetatable({}, { __tostring = function() raise("x") end }))
          end
          local nothing
          %s raise("the real one", 0)
        end
        green.spawn(wsgi.server, listener, handler, { log = true })
        local function get(path)
          local c = green.connect("127.0.0.1", port)
          c:write("GET " .. path .. " HTTP/1.0\r\n\r\n")
          local text = c:read_all()
          c:close()
          return text
        end
        get "/ok" get "/object" get "/"
        green.sleep(0.01)
        exit(3)]]):gsub("%%s", function() return code end)
      local p = program.run_greenlua { "-e", script }
      assert.is_nil(p.err:find("PANIC", 1, true), p.err)
      assert.is_truthy(p.err:find("the real one", 1, true), p.err)
    end)
  end
end)

describe("a host", function()
  local host = program.build .. "/examples/spec_damaged"

  it("gets 1 and lives, whatever its scripts do", function()
    for damage, code in pairs(damages) do
      for _, green in ipairs { "", "require 'green' " } do
        local script = "local raise = error " .. green .. code .. " raise('the real one', 0)"
        local p = program.run { host, script, "nothing = 1" }
        assert.equal(0, p.status, damage .. p.out .. p.err)
        assert.is_truthy(p.out:find("^dostring 1: the real one|stack traceback:"), p.out)
        assert.is_truthy(p.out:find("alive\n$"), damage .. p.out .. p.err)
      end
    end
  end)

  it("gets 1 for whatever error object", function()
    for what, fn in pairs(objects) do
      local script = ("local raise, str = error, tostring error(setmetatable({}, "
        .. "{ __tostring = %s }))"):format(fn)
      local p = program.run { host, script, "require 'green' " .. script }
      assert.equal(0, p.status, what .. p.out .. p.err)
      assert.equal(2, select(2, p.out:gsub("dostring 1: ", "")), p.out)
      assert.equal(2, select(2, p.out:gsub("call 1: ", "")), p.out)
    end
  end)

  it("gets 1 for more results than fit, and for finalizers that raise", function()
    -- Not compiled: LuaJIT itself crashes where a finalizer raises in compiled code.
    local p = program.run { host, "jit.off() return unpack({}, 1, 7000)",
      "return unpack({}, 1, 7000)",
      "for _ = 1, 1000 do getmetatable(newproxy(true)).__gc = function() error('gc') end end",
      "return 1", "local t = {} for i = 1, 1e5 do t[i] = {} end", "x = 1", "y = 1" }
    assert.equal(0, p.status, p.out .. p.err)
    assert.is_truthy(p.out:find("alive\n$"), p.out .. p.err)
  end)
end)
