# The smallest Fiber scheduler: fibers that wait for a time, a descriptor, or to be unblocked by another thread.
class Scheduler
  def initialize
    @ready = Thread::Queue.new
    @fibers = 0
  end

  def fiber(&block)
    @fibers += 1
    fiber = Fiber.new(blocking: false) do
      block.call
    ensure
      @fibers -= 1
    end
    fiber.resume
    fiber
  end

  # Runs until every fiber has ended.
  def close
    @ready.pop.resume while @fibers.positive?
  end

  def block(_blocker, _timeout = nil) = Fiber.yield
  def unblock(_blocker, fiber) = @ready << fiber

  def kernel_sleep(seconds)
    fiber = Fiber.current
    Thread.new { sleep(seconds) && @ready << fiber }
    Fiber.yield
  end

  def io_wait(io, events, timeout)
    fiber = Fiber.current
    Thread.new { io.wait(events, timeout) && @ready << fiber }
    Fiber.yield
    events
  end
end
