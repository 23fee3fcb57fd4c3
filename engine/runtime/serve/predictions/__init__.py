"""The prediction log: what was asked and answered, in Parquet files that rotate.

A request hands its row to a bounded queue and goes on; where the queue is full the row is dropped and
counted. A thread of each worker turns rows into columns and writes them.
"""
