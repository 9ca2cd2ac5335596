"""What can go wrong with stored states, by name."""


class RepresentationStoreError(RuntimeError):
    """A store of representations cannot be opened or used; the message says where, why and what to do."""


class StoreFullError(RepresentationStoreError):
    """The disk (or a quota) has no room; nothing of the call was stored and nothing earlier was lost."""


class StoreReadOnlyError(RepresentationStoreError):
    """The store was opened for reading, or its folder can only be read."""


class StoreCorruptError(RepresentationStoreError):
    """A file of the store is damaged or truncated."""


class CorruptRecordError(ValueError):
    """One record is truncated, damaged, or was made with another codec."""


class CorruptCodecError(StoreCorruptError):
    """A serialised codec is lost, truncated or damaged."""
