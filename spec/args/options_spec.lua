local options = require "green.args.options"

local known = { timeout = true, backlog = 128, reuse_port = false }

local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local function call(opts)
  return options.check(opts, known, "listen")
end

describe("green.args.options", function()
  describe("check", function()
    it("gives the options, an empty table for none", function()
      local opts = { timeout = 1, reuse_port = true }
      assert.are.equal(opts, call(opts))
      assert.are.same({}, call(nil))
    end)

    it("raises for an unknown one, naming the nearest", function()
      assert.matches("listen: unknown option 'timout'; did you mean 'timeout'%?",
        message(call, { timout = 1 }))
      assert.matches("did you mean 'reuse_port'", message(call, { reuseport = true }))
      assert.matches("did you mean 'backlog'", message(call, { Backlog = 1 }))
      assert.matches("did you mean 'reuse_port'", message(call, { REUSE_PORT = true }))
    end)

    it("names none for one letter, of which each is as near", function()
      local err = message(options.unknown, "mode", "q", { "r", "w", "rw" }, "open")
      assert.matches("unknown mode 'q'; there are r, rw, w", err, 1, true)
    end)

    it("names none when none is near", function()
      local err = message(call, { colour = "red" })
      assert.matches("unknown option 'colour'", err)
      assert.is_nil(err:find("did you mean"))
      assert.matches("unknown option '1'", message(call, { "timeout" }))
    end)

    it("blames the first function outside of the library", function()
      local line = debug.getinfo(1, "l").currentline + 1
      local err = message(function() call { wrong = 1 } end)
      assert.matches("^spec/args/options_spec%.lua:" .. line .. ": listen", err)
    end)

    it("refuses what is no table", function()
      assert.matches("listen: options must be a table, not 5", message(call, 5))
    end)

    it("refuses an object, whose fields are nobody's options", function()
      assert.matches("listen: unknown option '_[a-z]+'; a green.Queue stands where options must",
        message(call, require("green").Queue()))
      local plain = setmetatable({ colour = "red" }, { __index = { timeout = 1 } })
      assert.matches("unknown option 'colour'", message(call, plain))
    end)
  end)

  describe("nearest", function()
    it("takes names as keys or in a list", function()
      assert.are.equal("timeout", options.nearest("timeot", known))
      assert.are.equal("timeout", options.nearest("timeot", { "backlog", "timeout" }))
      assert.is_nil(options.nearest("x", known))
    end)

    it("takes the first of two that are equally near", function()
      assert.are.equal("recv", options.nearest("rexv", { "send", "recv", "resv" }))
    end)
  end)

end)
