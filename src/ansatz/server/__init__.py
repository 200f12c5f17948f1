"""The predictor behind HTTP: questions in, answers out, and nothing lost in between.

One model per server. Questions arrive as forms, a dialect turns them into requests of the model, a
pool of host threads reads and measures them, one device thread evaluates the network on whatever
waits, and answers leave as streamed arrays. The server knows requests and answers by their fields
alone.
"""
