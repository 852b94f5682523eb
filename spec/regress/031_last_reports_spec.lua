-- An error that nobody hears is told in a green thread of its own. Where the program
-- ended in the very turn in which a thread died, its error was never told.

local program = require "spec.support.program"

local function run(code)
  return program.run_greenlua { "-e", "local green = require 'green' " .. code }
end

local function times(text, part)
  return select(2, text:gsub(part, ""))
end

describe("the last error of a thread is told where the program ends", function()
  for what, ending in pairs {
    ["by its main chunk"] = { "", 0 },
    ["by an error"] = { "error('main')", 1 },
    ["by os.exit"] = { "os.exit(3)", 3 },
    ["by os.exit that closes the state"] = { "os.exit(3, true)", 3 },
    ["by os.exit in another thread"] = { "green.spawn(os.exit, 3) green.sleep(1)", 3 },
  } do
    it(what, function()
      local p = run("green.spawn(error, 'one') green.spawn(error, 'two') green.sleep(0) "
        .. ending[1])
      assert.equal(ending[2], p.status, p.err)
      assert.equal(2, times(p.err, "unhandled error in green thread"), p.err)
      assert.is_truthy(p.err:find("one.*two"), p.err)
    end)
  end

  it("once, by the function that is told of errors", function()
    local p = run [[
      green.on_error(function(err) print("mine", err) end)
      green.spawn(error, 'one', 0)
      green.sleep(0)]]
    assert.equal("mine\tone\n", p.out)
    assert.equal("", p.err)
  end)

  it("also where that function raises, or wants to wait", function()
    for _, fn in ipairs { "error('again')", "green.sleep(0.01)" } do
      local p = run("green.on_error(function() " .. fn
        .. " end) green.spawn(error, 'one', 0) green.sleep(0)")
      assert.equal(0, p.status)
      assert.is_truthy(p.err:find("\none\n", 1, true), p.err)
      assert.is_truthy(p.err:find("raised by the on_error function", 1, true), p.err)
    end
  end)
end)
