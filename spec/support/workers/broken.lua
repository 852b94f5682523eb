-- Worker 2 raises; the others wait to be stopped. Each run adds a byte to the file args.runs.
return function(worker)
  local runs = assert(io.open(worker.args.runs, "a"))
  runs:write(worker.index == 2 and "x" or "")
  runs:close()
  if worker.index == 2 then
    error("worker 2 is broken", 0)
  end
  worker:wait()
end
