--- Specs of jobs in native threads, with a pool of their own.

local tpool = require "green.tpool"

local M = {}

--- What busted's `it` becomes: body(pool) has a pool whose threads and states go with it.
-- @tparam function it of green.testing
-- @tparam[opt] function cleanup called behind the body, whatever that came to
function M.with_pool(it, cleanup)
  return function(title, body)
    it(title, function()
      local pool = tpool.pool { threads = 2 }
      local ok, err = pcall(body, pool)
      if cleanup then
        cleanup()
      end
      pool:killall()
      pool:close()
      if not ok then
        error(err, 0)
      end
    end)
  end
end

return M
