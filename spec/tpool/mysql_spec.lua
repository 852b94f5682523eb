-- tpool.Proxy of Debian's lua-sql-mysql, unmodified, at a real MariaDB. LuaSQL blocks the
-- process for each query; beside a proxy everything else goes on.

local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"
local tpool = require "green.tpool"

local _, it = testing.busted()

local has_module, luasql = pcall(require, "luasql.mysql")
local SERVER = "/usr/sbin/mariadbd"

local function exists(path)
  local file = io.open(path)
  return file and file:close()
end

--- Run fn(socket) beside a server with an empty folder, which is reached by a socket of its own.
local function with_server(fn)
  local dir = os.tmpname()
  os.remove(dir)
  assert.equal(0, os.execute("mkdir -m 700 " .. dir))
  local server = program.start { SERVER, "--no-defaults", "--user=root", "--datadir=" .. dir,
    "--socket=" .. dir .. "/s", "--pid-file=" .. dir .. "/pid", "--skip-networking",
    "--skip-grant-tables", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M" }
  local tries = 0
  while not exists(dir .. "/pid") and tries < 600 do -- it is there when connections are taken
    green.sleep(0.05)
    tries = tries + 1
  end
  local ok, err = pcall(fn, dir .. "/s")
  server:kill(program.KILL):wait()
  os.execute("rm -r " .. dir)
  if not ok then
    error(err, 0)
  end
end

--- Proxies hold a place in a native thread.
local function clean()
  collectgarbage()
  collectgarbage()
  green.sleep(0)
  tpool.killall()
  green.sleep(0)
  green.sleep(0)
end

local function rows_of(cursor)
  local rows, row = {}, cursor:fetch({}, "a")
  while row do
    rows[#rows + 1] = row.id .. "=" .. tostring(row.name)
    row = cursor:fetch({}, "a")
  end
  return rows
end

local function try(socket)
  local env = tpool.Proxy(luasql).mysql()
  local conn = assert(env:connect("", "root", "", nil, nil, socket))
  for _, text in ipairs { "create database shop", "use shop",
    "create table t (id integer, name text) engine = InnoDB" } do
    assert(conn:execute(text))
  end
  assert.equal(3, conn:execute "insert into t values (1, 'one'), (2, null), (3, 'a b')")
  local cursor = assert(conn:execute "select id, name from t order by id")
  assert.equal(3, cursor:numrows())
  assert.same({ "1=one", "2=nil", "3=a b" }, rows_of(cursor))
  local none, err = conn:execute "select from"
  assert.is_nil(none)
  assert.matches("error in your SQL syntax", err)
  return env, conn
end

describe("tpool.Proxy of lua-sql-mysql", function()
  local title = "works at a server, and a long query stops nobody"
  if not has_module or not exists(SERVER) then
    pending(title .. " (lua-sql-mysql or mariadb-server-core is not here)")
    return
  end

  it(title, function()
    with_server(function(socket)
      local env, conn = try(socket)
      local ticks = 0
      local ticker = green.spawn(function()
        while true do
          green.sleep(0.01)
          ticks = ticks + 1
        end
      end)
      local slept = assert(conn:execute "select sleep(1)")
      ticker:kill()
      assert.equal("0", (slept:fetch()))
      assert.is_true(ticks > 3, ticks .. " ticks")
      slept:close()
      assert.is_true(conn:close())
      assert.is_true(env:close())
    end)
    clean()
  end)
end)
