-- What each worker of examples/threads.lua runs.

local wsgi = require "green.wsgi"

return function(worker)
  local text = ("hello from worker %d of %d\n"):format(worker.index, worker.count)
  assert(wsgi.server(worker.listener, function()
    return 200, { ["Content-Type"] = "text/plain" }, text
  end, { signals = true }))
end
