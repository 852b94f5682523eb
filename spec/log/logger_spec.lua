-- Levels, names, contexts, bound fields, and lines that are left out.

local green = require "green"
local kit = require "spec.support.log_kit"
local levels = require "green.log.level"
local log = require "green.log"
local program = require "spec.support.program"
local testing = require "green.testing"

local it = testing.busted()

local function messages(lines)
  local list = {}
  for i, line in ipairs(lines) do
    list[i] = line.message
  end
  return list
end

describe("a level", function()
  it("keeps what is below it out", function()
    local logger, lines = kit.json { level = "warn" }
    for _, name in ipairs { "trace", "debug", "info", "warn", "error" } do
      assert.equal(name == "warn" or name == "error", logger[name](logger, name))
      assert.equal(name == "warn" or name == "error", logger:enabled(name))
    end
    assert.same({ "warn", "error" }, messages(lines()))
    assert.is_false(logger:log("off", "x"))
    assert.is_true(logger:log("WARN", "x"))
  end)

  it("is a name's, and of the names below it", function()
    local logger, lines = kit.json { levels = { db = "error", ["db.pool"] = "trace" } }
    logger:get("db"):info("a")
    logger:get("db.pool"):info("b")
    logger:get("db.pool.idle"):trace("c")
    logger:get("dbx"):info("d")
    logger:get("db"):get("cache"):info("e")
    assert.same({ "b", "c", "d" }, messages(lines()))
  end)

  it("can be changed while it runs", function()
    local logger, lines = kit.json()
    local db = logger:get("db")
    db:debug("a")
    assert.equal("info", db:level())
    assert.equal(db, db:level("debug"))
    db:debug("b")
    logger:debug("c")
    logger:level("off")
    logger:error("d")
    assert.equal("off", logger:level())
    assert.equal("debug", logger:get("db.x"):level())
    assert.same({ "b" }, messages(lines()))
  end)

  it("is read from GREENLUA_LOG, which stands above what the program says", function()
    local r = program.run_greenlua { "-e", [[
      local log = require "green.log"
      log.configure { level = "error", levels = { web = "error" } }
      log.info("no")
      log.get("db.x"):debug("yes")
      log.get("web"):info("also")
    ]], env = { GREENLUA_LOG = "warn, db=debug,web=info,," } }
    assert.equal(0, r.status)
    assert.same({ "DEBUG db.x: yes", "INFO  web: also" },
      { kit.plain(r.err:match("^[^\n]*")), kit.plain(r.err:match("\n([^\n]*)")) })
  end)

  it("that cannot be read there is left out", function()
    local found, wrong = levels.parse("loud,db=quiet,x=info,")
    assert.same({ x = 3 }, found)
    assert.equal("loud", wrong)
    assert.same({ [""] = 6 }, (levels.parse(" OFF ")))
  end)

  it("that cannot be read there is told once", function()
    local r = program.run_greenlua { "-e", [[
      local log = require "green.log"
      log.info("one")
      log.info("two")
    ]], env = { GREENLUA_LOG = "verbose" } }
    assert.equal(0, r.status)
    local first, others = r.err:match("^([^\n]*)\n(.*)$")
    assert.equal('greenlua: GREENLUA_LOG: "verbose" is no level (trace, debug, info, warn, error, '
      .. 'off), and no name=level', first)
    assert.equal(2, select(2, others:gsub("\n", "")))
  end)
end)

describe("bound fields", function()
  it("stand in all lines of a logger, and of those made of it", function()
    local logger, lines = kit.json()
    local own = logger:bind { a = 1, b = 1 }
    own:info("x")
    own:bind({ b = 2 }):get("n"):info("y", { c = 3 })
    logger:info("z")
    local x, y, z = unpack(lines())
    assert.same({ 1, 1, nil }, { x.a, x.b, x.c })
    assert.same({ 1, 2, 3, "n" }, { y.a, y.b, y.c, y.logger })
    assert.is_nil(z.a)
  end)

  it("are stood above by a line's own, once each", function()
    local logger, lines, raw = kit.json()
    log.with({ k = "context", c = 1 }, function()
      logger:bind({ k = "bound" }):info("x", { k = "own" })
      logger:bind({ k = "bound" }):info("y")
    end)
    assert.same({ "own", "bound", 1 }, { lines()[1].k, lines()[2].k, lines()[1].c })
    assert.equal(1, select(2, raw()[1]:gsub('"k":', "")))
    assert.equal(1, select(2, raw()[2]:gsub('"k":', "")))
  end)
end)

describe("a thread's context", function()
  it("is in its lines, and in those of the threads that it spawns", function()
    local logger, lines = kit.json()
    log.with({ request_id = "r1" }, function()
      log.with({ user = "ann" }, function()
        assert.same({ request_id = "r1", user = "ann" }, log.context())
        green.spawn(function()
          green.spawn(logger.info, logger, "deep"):wait()
        end):wait()
      end)
      logger:info("outer")
    end)
    logger:info("none")
    local deep, outer, none = unpack(lines())
    assert.same({ "r1", "ann" }, { deep.request_id, deep.user })
    assert.same({ "r1", nil }, { outer.request_id, outer.user })
    assert.is_nil(none.request_id)
    assert.same({}, log.context())
  end)

  it("has the thread's name", function()
    local logger, lines = kit.json()
    local t = green.spawn(function() logger:info("x") end)
    t:name("worker 1")
    t:wait()
    assert.equal("worker 1", lines()[1].thread)
  end)

  it("without a function stays with the thread", function()
    local logger, lines = kit.json()
    green.spawn(function()
      log.with { a = 1 }
      log.with { b = 2 }
      logger:info("x")
    end):wait()
    logger:info("y")
    assert.same({ 1, 2, nil }, { lines()[1].a, lines()[1].b, lines()[2].a })
  end)

  it("gives back what its function gives, and raises what it raises", function()
    assert.same({ 1, nil, 3 }, { log.with({}, function(...) return ... end, 1, nil, 3) })
    local ok, err = pcall(log.with, { a = 1 }, error, "oops", 0)
    assert.same({ false, "oops" }, { ok, err })
  end)
end)

describe("lines that are left out", function()
  it("by every are counted, for each text by itself", function()
    local logger, lines = kit.json()
    local some = logger:every(3)
    for i = 1, 7 do
      assert.equal(i % 3 == 1, some:info("a"))
    end
    some:info("b")
    local all = lines()
    assert.same({ "a", "a", "a", "b" }, messages(all))
    assert.same({ nil, 2, 2, nil }, { all[1].left_out, all[2].left_out, all[3].left_out,
      all[4].left_out })
    assert.equal(4, logger:stats().left_out)
  end)

  it("by limit are those beyond so many in a time", function()
    local logger, lines = kit.json()
    local few = logger:limit(2, 10)
    for _ = 1, 5 do few:warn("a") end
    green.sleep(10)
    few:warn("a")
    few:warn("a")
    few:warn("a")
    local all = lines()
    assert.equal(4, #all)
    assert.same({ nil, nil, 3, nil }, { all[1].left_out, all[2].left_out, all[3].left_out,
      all[4].left_out })
  end)

  it("are counted for a thousand texts, the others together", function()
    local logger, lines = kit.json()
    local few = logger:limit(1, 10)
    for i = 1, 3000 do few:info("text " .. i) end
    assert.equal(1001, #lines())
    assert.equal(1999, logger:stats().left_out)
  end)
end)

describe("a wrong call of green.log", function()
  local function raises(text, fn, ...)
    local ok, err = pcall(fn, ...)
    assert.is_false(ok)
    assert.truthy(tostring(err):find(text, 1, true), tostring(err))
  end

  it("raises", function()
    raises("text must be a string, not the module", log.info, log, "x")
    raises('configure: level must be "trace"', log.configure, { level = "loud" })
    raises('format must be "console" or "json"', log.configure, { format = "xml" })
    raises("did you mean 'output'", log.configure, { outputs = true })
    raises("gets the lines, and this one has true in it", log.new, { output = { true, "a.log" } })
    raises("this one has \"path\" in it", log.configure, { output = { path = "a.log" } })
    raises("configure: unknown option 'fields'", log.configure, { fields = { app = "x" } })
    raises("with: fields must be a table", log.with, "x")
    raises("with: fn must be a function", log.with, {}, 1)
    local logger = kit.new()
    raises("every: n must be a whole number", logger.every, logger, 0)
    raises("limit: n must be", logger.limit, logger, "x")
    raises("self must be a green.log", logger.info, "x")
    raises("take_reports: logger must be", log.take_reports, {})
  end)
end)
