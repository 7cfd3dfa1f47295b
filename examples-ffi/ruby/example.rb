# Sends Mona what a model answered and how it turned out, and asks for a configuration that fits.
#
#     ruby examples-ffi/ruby/example.rb examples-c/data
#
# The account is in the environment: docs/configuration.md.

require_relative "mona"

def read(name) = File.readlines("#{ARGV[0]}/#{name}").map { |line| JSON.parse(line) }

client = Mona::Client.new

# At once: the answer tells what became of each message.
document = client.export(read("inference.jsonl"))
puts "#{document['sent']} sent, #{document['failed']} failed"

# In the background: the program goes on.
client.enqueue(read("feedback.jsonl"))
client.flush
puts "#{client.stats['delivered']} delivered"

suggested = client.service("get_suggested_config")
suggested["data"].each { |name, config| puts "#{name}: #{config['fields'].keys.join(', ')}" }

client.close
