// x[index] and x[index] = value: integers, slices, None, ..., masks, integer tensors and sequences, in any
// mix.
//
// What can be a view is applied first, dimension by dimension; tensors are collected on the way and go to the
// advanced-indexing operators at the end.
#include "ops/indexing.h"

#include "autograd/operators.h"
#include "autograd/record.h"
#include "core/object.h"
#include "ops/boxing.h"
#include "ops/conversion.h"
#include "ops/pointwise.h"
#include "ops/views.h"
#include "python/arguments.h"
#include "python/errors.h"
#include "python/module.h"
#include "python/tensor_type.h"
#include "python/torch_function.h"

namespace rl {
namespace {

bool is_index_sequence(PyObject* object) {
    return PySequence_Check(object) && !PyTuple_Check(object) && !PyUnicode_Check(object) &&
           !is_tensor(object);
}

Tensor index_from_sequence(PyObject* object) {
    const Object module = Object::check(PyImport_ImportModule("rushlight._C"));
    const Object made = Object::check(PyObject_CallMethod(module.get(), "tensor", "O", object));
    Tensor index = Tensor::borrow(made.get());
    if (index.numel() == 0 && index.dtype() == default_dtype())
        index = empty(index.sizes(), {DType::int64, {}});
    return index;
}

std::optional<int64_t> slice_bound(PyObject* bound) {
    if (bound == Py_None) return std::nullopt;
    if (!PyIndex_Check(bound)) {
        raise<TypeError>("slice indices must be integers or None or have an __index__ method");
    }
    const Py_ssize_t value = PyNumber_AsSsize_t(bound, nullptr);
    if (value == -1 && PyErr_Occurred() != nullptr) throw PythonError();
    return value;
}

// Applies the items of an index from the first dimension on.
class Indexing {
  public:
    explicit Indexing(Tensor tensor) : result_(std::move(tensor)) {}

    void apply(PyObject* index) {
        if (index == Py_Ellipsis) return;
        if (PyTuple_Check(index)) {
            apply_all(index);
        } else {
            apply_one(index);
        }
    }

    // The view that the index describes, before the collected tensors are applied to it.
    const Tensor& view() const { return result_; }
    const TensorList& tensors() const { return tensors_; }
    bool has_tensors() const { return !tensors_.empty(); }

  private:
    void apply_all(PyObject* items) {
        const Py_ssize_t count = PyTuple_GET_SIZE(items);
        int64_t specified = 0;
        for (Py_ssize_t i = 0; i < count; ++i) specified += consumed_dims(PyTuple_GET_ITEM(items, i));
        check<IndexError>(specified <= result_.dim(), "too many indices for tensor of dimension ",
                          result_.dim());
        for (Py_ssize_t i = 0; i < count; ++i) {
            PyObject* const item = PyTuple_GET_ITEM(items, i);
            if (item == Py_Ellipsis) {
                dim_ += result_.dim() - remaining_dims(items, i + 1) - dim_;
            } else {
                apply_one(item);
            }
        }
    }

    static int64_t consumed_dims(PyObject* item) {
        if (item == Py_None || item == Py_Ellipsis || PyBool_Check(item)) return 0;
        if (is_tensor(item)) {
            const auto* const impl = reinterpret_cast<TensorImpl*>(item);
            const bool mask = impl->dtype == DType::boolean || impl->dtype == DType::uint8;
            if (mask) return static_cast<int64_t>(impl->sizes.size());
        }
        return 1;
    }
    static int64_t remaining_dims(PyObject* items, Py_ssize_t first) {
        int64_t dims = 0;
        for (Py_ssize_t i = first; i < PyTuple_GET_SIZE(items); ++i)
            dims += consumed_dims(PyTuple_GET_ITEM(items, i));
        return dims;
    }

    void apply_one(PyObject* item) {
        if (PyBool_Check(item)) {
            result_ = ops::unsqueeze(result_, dim_);
            collect(scalar_tensor(Scalar(item == Py_True), DType::boolean));
        } else if (PyLong_Check(item)) {
            apply_integer(from_python<int64_t>(item));
        } else if (PySlice_Check(item)) {
            apply_slice(item);
        } else if (item == Py_None) {
            result_ = ops::unsqueeze(result_, dim_++);
        } else if (is_tensor(item)) {
            apply_tensor(Tensor::borrow(item));
        } else if (is_index_sequence(item)) {
            apply_tensor(index_from_sequence(item));
        } else if (PyIndex_Check(item)) {
            apply_integer(from_python<int64_t>(item));
        } else {
            raise<IndexError>(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
                "indices (got ",
                Py_TYPE(item)->tp_name, ")");
        }
    }

    void apply_integer(int64_t index) {
        check<IndexError>(
            result_.dim() > dim_,
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ "
            "to convert a 0-dim tensor to a number");
        const int64_t size = result_.sizes()[dim_];
        check<IndexError>(index >= -size && index < size, "index ", index, " is out of bounds for dimension ",
                          dim_, " with size ", size);
        result_ = ops::select(result_, dim_, index);
    }

    void apply_slice(PyObject* item) {
        const auto* const slice = reinterpret_cast<PySliceObject*>(item);
        const int64_t step = slice_bound(slice->step).value_or(1);
        check<ValueError>(step > 0, "step must be greater than zero");
        check<IndexError>(result_.dim() > dim_, "slice() cannot be applied to a 0-dim tensor.");
        const std::optional<int64_t> start = slice_bound(slice->start);
        const std::optional<int64_t> stop = slice_bound(slice->stop);
        if (start || stop || step != 1) {
            result_ = ops::slice(result_, dim_, start, stop, step);
        } else {
            result_ = ops::slice(result_, dim_, 0, std::nullopt, 1);
        }
        ++dim_;
    }

    void apply_tensor(const Tensor& index) {
        const DType dtype = index.dtype();
        check<IndexError>(is_integral(dtype, true),
                          "tensors used as indices must be long, int, byte or bool tensors");
        if (index.dim() == 0 && dtype != DType::boolean && dtype != DType::uint8 && !index.is_meta()) {
            apply_integer(index.item().to_int());
            return;
        }
        if (index.dim() == 0) {
            result_ = ops::unsqueeze(result_, dim_);
            collect(index);
            return;
        }
        collect(index);
        if (dtype == DType::boolean || dtype == DType::uint8) dim_ += index.dim() - 1;
    }

    // A mask takes as many dimensions as it has, but one place in the list of index tensors.
    void collect(const Tensor& index) {
        while (static_cast<int64_t>(tensors_.size()) < dim_ - mask_dims_) tensors_.emplace_back();
        tensors_.push_back(index);
        const bool mask = index.dtype() == DType::boolean || index.dtype() == DType::uint8;
        if (mask && index.dim() > 1) mask_dims_ += index.dim() - 1;
        ++dim_;
    }

    Tensor result_;
    TensorList tensors_;
    int64_t dim_ = 0;
    int64_t mask_dims_ = 0;
};

// Dimensions of one in front of what is written are dropped where the target has fewer.
Tensor without_leading_ones(const Tensor& value, int64_t ndim) {
    Tensor result = value;
    while (result.dim() > ndim && result.sizes()[0] == 1) result = ops::select(result, 0, 0);
    return result;
}

Tensor value_for(const Tensor& target, PyObject* value) {
    if (is_tensor(value)) return Tensor::borrow(value);
    if (PyFloat_Check(value) || PyLong_Check(value) || PyComplex_Check(value) || !PySequence_Check(value)) {
        check<TypeError>(PyNumber_Check(value), "can't assign a ", Py_TYPE(value)->tp_name, " to a torch.",
                         info(target.dtype()).class_name);
        const Scalar number = from_python<Scalar>(value);
        return scalar_tensor(number, target.dtype(), target.device());
    }
    const Object module = Object::check(PyImport_ImportModule("rushlight._C"));
    const Object made = Object::check(PyObject_CallMethod(module.get(), "tensor", "O", value));
    return Tensor::borrow(made.get());
}

// x[...] is a view of all of x.
Tensor alias_view(const Tensor& self) {
    return record_view("AliasBackward0", self, alias(self),
                       [] { return [](const Tensor& grad) -> Gradients { return {grad}; }; });
}

PyObject* redirect(const char* name, PyObject* const* arguments, Py_ssize_t count) {
    const Object method =
        Object::check(PyObject_GetAttrString(reinterpret_cast<PyObject*>(&tensor_type), name));
    return call_torch_function(method.get(), arguments, count, nullptr);
}

}  // namespace

PyObject* tensor_get_item(PyObject* self, PyObject* index) {
    return guarded([&]() -> PyObject* {
        if (has_torch_function(self) || has_torch_function(index)) {
            PyObject* const arguments[] = {self, index};
            return redirect("__getitem__", arguments, 2);
        }
        Indexing indexing(Tensor::borrow(self));
        indexing.apply(index);
        if (indexing.has_tensors()) return to_python(ops::index(indexing.view(), indexing.tensors()));
        if (indexing.view().object() == self) return to_python(alias_view(indexing.view()));
        return to_python(indexing.view());
    });
}

int tensor_set_item(PyObject* self, PyObject* index, PyObject* value) {
    return guarded_status([&] {
        check<TypeError>(value != nullptr, "Tensor does not support deleting items");
        if (has_torch_function(self) || has_torch_function(value)) {
            PyObject* const arguments[] = {self, index, value};
            Object::check(redirect("__setitem__", arguments, 3));
            return;
        }
        Indexing indexing(Tensor::borrow(self));
        indexing.apply(index);
        const Tensor& target = indexing.view();
        const Tensor source = value_for(target, value);
        if (indexing.has_tensors()) {
            const Tensor typed = source.dtype() == target.dtype()
                                     ? source
                                     : autograd_operators.to_dtype(source, target.dtype());
            ops::index_put_(target, indexing.tensors(), typed);
        } else {
            ops::copy_(target, without_leading_ones(source, target.dim()));
        }
    });
}

}  // namespace rl
