// C++ exceptions on their way into Python.
#include "python/errors.h"

#include <new>

#include "core/error.h"

namespace rl {

void set_python_error() noexcept {
    try {
        throw;
    } catch (const PythonError&) {
    } catch (const TypeError& error) {
        PyErr_SetString(PyExc_TypeError, error.what());
    } catch (const ValueError& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const IndexError& error) {
        PyErr_SetString(PyExc_IndexError, error.what());
    } catch (const NotImplemented& error) {
        PyErr_SetString(PyExc_NotImplementedError, error.what());
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    }
}

}  // namespace rl
