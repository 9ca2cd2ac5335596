"""A document as the hook looks at it: where it is, and the text that has states."""

from __future__ import annotations

from dataclasses import dataclass

from haystack.schema import Document

from haystack_deformer.document_stores.reference import REPRESENTATION_META_KEY


@dataclass(frozen=True)
class StoredDocument:
    """
    What of a stored document the hook works with.

    :param index: where it is.
    :param id: its id.
    :param text: its content where that is text with something in it; None: it has no states.
    :param reference: what its meta carries, right or not.
    """

    index: str
    id: str
    text: str | None
    reference: str | None

    @classmethod
    def of(cls, document: Document, index: str) -> StoredDocument:
        """
        From Haystack's document.

        :param document: as the store holds it.
        :param index: where it is.
        """
        text = text_of(document.content, document.content_type)
        return cls(index, document.id, text, (document.meta or {}).get(REPRESENTATION_META_KEY))


def text_of(content: object, content_type: str | None) -> str | None:
    """
    The text that has states; None for tables, images, None, and what is empty or white space.

    :param content: of a document.
    :param content_type: of the same.
    """
    if content_type in ("text", None) and isinstance(content, str) and content.strip():
        return content
    return None
