-- A script that printed into a pipe nobody reads went on for ever: `greenlua script.lua
-- | head -1` did not end. It ends quietly with the status that SIGPIPE gives to others,
-- at its next print, by the way every program ends: cleanups and at_exit run.

local chunk = require "spec.support.chunk"
local program = require "spec.support.program"

local SHELLS = { "dash", "bash" }

local function is_there(command)
  return program.run({ "sh", "-c", "command -v " .. command }).status == 0
end

--- The status of greenlua in `greenlua words | reader`, as the shell sees it.
local function piped(words, reader, opts)
  opts = opts or {}
  opts[1], opts[2] = opts.shell or "sh", "-c"
  opts[3] = ('%s { "$@"; echo "status $?" >&2; } | %s'):format(opts.before or "", reader)
  opts[4], opts[5] = "sh", program.greenlua
  for i, word in ipairs(words) do
    opts[5 + i] = word
  end
  return program.run(opts)
end

local function ends(r, err)
  assert.equal((err or "") .. "status 141\n", r.err, chunk.describe(r))
end

local FOR_EVER = {
  ["without the library"] = "while true do print(1) end",
  ["with the library"] = "require 'green' while true do print(1) end",
  ["that loads the library late"] = [[
    for _ = 1, 2000 do print(1) end require "green" while true do print(1) end
  ]],
  ["that kept print before the library came"] = [[
    local print = print require "green" while true do print(1) end
  ]],
  ["in another thread"] = [[
    local green = require "green"
    green.spawn(function() while true do print(1) end end)
    green.sleep(3600)
  ]],
  ["that catches all errors"] = [[
    require "green" while true do pcall(print, 1) end
  ]],
  ["that waits between"] = [[
    local green = require "green" while true do print(1) green.sleep(0) end
  ]],
  ["that io.write is told first"] = [[
    local green = require "green" while true do io.write("1\n") print(1) green.sleep(0) end
  ]],
  ["that flushes"] = [[
    require "green" while true do print(1) io.flush() end
  ]],
  ["in a coroutine"] = [[
    require "green" coroutine.wrap(function() while true do print(1) end end)()
  ]],
  ["where it cannot wait"] = [[
    local green = require "green"
    green.at_exit(function() io.stderr:write "" end)
    while true do string.gsub("x", "x", function() print(1) end) end
  ]],
  ["in a module"] = [[
    package.preload.endless = function() while true do print(1) end end
    require "endless"
  ]],
}

describe("a script whose reader has gone ends at its next print", function()
  for name, code in pairs(FOR_EVER) do
    it(name, function()
      ends(piped({ "-e", code }, "head -1"))
    end)
  end

  for _, shell in ipairs(SHELLS) do
    it("in " .. shell, function()
      if not is_there(shell) then
        pending(shell .. " is not there")
        return
      end
      local r = piped({ "-e", "require 'green' while true do print(1) end" }, "head -1",
        { shell = shell })
      ends(r)
      assert.equal("1\n", r.out)
    end)
  end

  it("from a file, and from standard input", function()
    local code = "local green = require 'green' while true do print(1) green.sleep(0) end"
    local path = program.file(code)
    ends(piped({ path }, "head -1"))
    os.remove(path)
    ends(piped({ "-" }, "head -1", { input = code }))
    ends(piped({}, "head -1", { input = code }))
  end)

  it("and cleans up", function()
    local r = piped({ "-e", [[
      local green = require "green"
      local function cleaned(name) return function()
        green.sleep(0.001)
        print "nobody reads this"
        io.stderr:write(name, "\n")
      end end
      green.at_exit(cleaned "at exit")
      green.spawn(function() green.finally(function() green.sleep(60) end, cleaned "other") end)
      green.spawn(function()
        green.finally(function() while true do print(1) end end, cleaned "own")
      end)
      green.sleep(60)
    ]] }, "head -1")
    ends(r, "own\nother\nat exit\n")
  end)

  it("when its queue is full", function()
    ends(piped({ "-e", [[
      require("green.stdio").configure { limit = 65536, patience = 3600 }
      while true do print(("x"):rep(1e6)) end
    ]] }, "{ head -c 1; sleep 0.05; }"))
  end)

  it("in the REPL, too", function()
    ends(piped({ "-i" }, "{ head -1; }", { input = ("print(1)\n"):rep(1e5) }))
  end)

  it("and a child of a fork, too", function()
    local r = piped({ "-e", [[
      local green, process = require "green", require "green.process"
      local pid = green.fork(function() while true do print(1) end end)
      io.stderr:write(table.concat({ process.wait(pid) }, " "), "\n")
    ]] }, "head -1")
    assert.equal("exit 141\nstatus 0\n", r.err)
  end)
end)

describe("a script whose reader has gone goes on", function()
  it("with io.write, which tells", function()
    local r = piped({ "-e", [[
      require "green"
      local ok, message, code
      repeat ok, message, code = io.write("x\n") until not ok
      io.stderr:write(tostring(ok), " ", message, " ", code, "\n")
    ]] }, "head -1")
    assert.equal("nil broken pipe 32\nstatus 0\n", r.err)
  end)

  it("when SIGPIPE is handled", function()
    local r = piped({ "-e", [[
      local green = require "green"
      local n = 0
      require("green.signal").handler("PIPE", function() n = n + 1 end)
      while n == 0 do print(1) green.sleep(0) end
      print(2) io.flush() print(3)
      io.stderr:write "handled\n"
    ]] }, "head -1")
    assert.equal("handled\nstatus 0\n", r.err)
  end)

  it("when whoever started it ignores SIGPIPE", function()
    for _, library in ipairs { "", "require 'green'" } do
      local r = piped({ "-e", library .. [[
        for _ = 1, 1e5 do print(1) end
        io.stderr:write "went on\n"
      ]] }, "head -1", { before = "trap '' PIPE;" })
      assert.equal("went on\nstatus 0\n", r.err)
    end
  end)

  it("when standard output is another file by then", function()
    local r = piped({ "-e", [[
      local green, ffi = require "green", require "ffi"
      ffi.cdef "int dup2(int, int);"
      repeat local ok = io.write("x\n") until not ok
      ffi.C.dup2(2, 1)
      print "there"
      print "again"
    ]] }, "head -1")
    assert.equal("there\nagain\nstatus 0\n", r.err)
  end)

  it("when it is standard error that nobody reads", function()
    local r = program.run { "sh", "-c", [[exec 3>&1; { "$@" 2>&1 >&3; echo "status $?" >&3; } | :]],
      "sh", program.greenlua, "-e", [[
        local green = require "green"
        os.execute "sleep 0.05" -- real time: the reader has gone
        for _ = 1, 1e4 do io.stderr:write("x\n") end
        green.spawn(error, "reported")
        green.sleep(0)
        print "fine"
      ]] }
    assert.equal("fine\nstatus 0\n", r.out, chunk.describe(r))
  end)
end)

describe("what the command itself prints", function()
  it("ends nothing and is no error", function()
    for _, word in ipairs { "-v", "-h" } do
      local r = piped({ word }, ":")
      assert.is_truthy(r.err:find("^status %d+\n$"), r.err)
    end
  end)
end)

describe("a million prints", function()
  it("all arrive", function()
    for _, library in ipairs { "", "require 'green'" } do
      local r = piped({ "-e", library .. " for i = 1, 1e6 do print(i) end" }, "wc -l")
      assert.equal("1000000\n", r.out)
      assert.equal("status 0\n", r.err)
    end
  end)

  it("of which one is read end", function()
    ends(piped({ "-e", "require 'green' for i = 1, 1e7 do print(i) end" }, "head -1"))
  end)
end)
