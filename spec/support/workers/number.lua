-- No worker: a module must return a function.
return 5
