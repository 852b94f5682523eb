-- A worker that serves HTTP: its answers name it.
local wsgi = require "green.wsgi"

return function(worker)
  local text = ("worker %d of %d, %s"):format(worker.index, worker.count,
    worker.args and worker.args.greeting or "no args")
  assert(wsgi.server(worker.listener, function()
    return 200, {}, text
  end, { signals = true, access_log = false }))
end
