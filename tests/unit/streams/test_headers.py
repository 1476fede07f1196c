"""Names of headers that are no text."""

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.delivery import headers


def test_a_header_name_that_is_not_utf8_hides_no_record() -> None:
    """All records of the batch are read; only the name is replaced."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=10_000,
    )
    for offset in range(3):
        name = "abcd" if offset == 1 else "plain"
        builder.append(offset, timestamp=1, key=b"k%d" % offset, value=b"v", headers=[(name, None)])
    encoded = bytes(builder.build()).replace(b"abcd", b"\xff\xfe\xfd\xfc")
    records = headers.TolerantRecords(encoded * 2)
    batches = []
    while records.has_next():
        batch = records.next_batch()
        batches.append([(record.offset, record.key, record.value, record.headers[0]) for record in batch])
        assert batch.next_offset == 3
    assert len(batches) == 2
    for found in batches:
        assert [one[:3] for one in found] == [(n, b"k%d" % n, b"v") for n in range(3)]
        assert [one[3] for one in found] == [("plain", None), ("\ufffd" * 4, None), ("plain", None)]


def test_consumers_read_by_it() -> None:
    """It is in the place of aiokafka's own reader as soon as the delivery layer is loaded."""
    import streams.delivery  # noqa: F401

    assert fetcher.MemoryRecords is headers.TolerantRecords
