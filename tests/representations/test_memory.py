from haystack_deformer.representations import MemoryRepresentationStore, StoreStatistics


def test_statistics_and_close():
    store = MemoryRepresentationStore()
    store.put({b"a": b"12", b"b": b"345"})
    assert store.statistics() == StoreStatistics(count=2, record_bytes=5, disk_bytes=0)
    store.close()
    assert len(store) == 0
